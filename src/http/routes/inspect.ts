import { createRoute, z } from "@hono/zod-openapi";
import { inspectionSchema } from "../../activities/inspection.ts";
import { decodeActivities, decodeWithStreams } from "../../fit/index.ts";
import { MAX_FILE_BYTES } from "../../files/file.ts";
import { unwrap } from "../../files/unwrap.ts";
import { MemoryShortage } from "../../memory/budget.ts";
import { endpoint } from "../context.ts";
import { fileBody, readFileBody } from "../fileBody.ts";
import { fileProblems, memoryShort, problem, readProblems } from "../problem.ts";

/** Inspected bytes come without a ping, so no other start time is known. */
const NO_FALLBACK = { fallbackStartInSeconds: null };

const bytes = { schema: z.string().openapi({ format: "binary" }) };

const route = createRoute({
  method: "post",
  path: "/api/fit/inspect/",
  summary: "What an import would make of a file; stores nothing",
  middleware: fileBody,
  request: {
    query: z.strictObject({
      streams: z
        .enum(["true", "false"])
        .optional()
        .openapi({
          param: { description: "With `true`, each activity also has its columns as `stream_data`." },
        }),
    }),
    body: {
      required: true,
      description: "The file's bytes: FIT, or one FIT file in a gzip or zip; up to 32 MiB.",
      content: { "application/octet-stream": bytes, "application/vnd.ant.fit": bytes },
    },
  },
  responses: {
    200: {
      description: "The activities as an import would make them.",
      content: { "application/json": { schema: inspectionSchema } },
    },
    ...readProblems,
    ...fileProblems,
  },
});

export const inspectFile = endpoint(route, async (c) => {
  const body = await readFileBody(c.req.raw, MAX_FILE_BYTES, c.var.partner.partner_id);
  if (!body.ok) {
    return body.code === "body_too_large"
      ? problem(c, body.code, `A file has at most ${MAX_FILE_BYTES} bytes.`)
      : memoryShort(c);
  }
  const { hold } = body;
  try {
    const unwrapped = unwrap(body.bytes, hold.add);
    if (!unwrapped.ok) return problem(c, unwrapped.code, unwrapped.detail);
    const { fit } = unwrapped;
    const withStreams = c.req.valid("query").streams === "true";
    const decoded = withStreams
      ? decodeWithStreams(fit, NO_FALLBACK, hold.add)
      : { ...decodeActivities(fit, NO_FALLBACK), streams: [] };
    if (!decoded.ok) return problem(c, decoded.problem.code, decoded.problem.detail);
    const { warnings, activities, streams } = decoded;
    c.var.logFields["activities"] = activities.length;
    if (streams === null) {
      return problem(
        c,
        "body_too_large",
        "This file is too large to inspect with streams. Ask without them.",
      );
    }
    const inspected = activities.map((activity, index) =>
      withStreams ? { ...activity, stream_data: streams[index]?.columns ?? {} } : activity,
    );
    return c.json({ warnings, activities: inspected }, 200);
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  } finally {
    hold.release();
  }
});
