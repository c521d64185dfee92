import { createRoute, z } from "@hono/zod-openapi";
import { inspectionSchema, type Inspection } from "../../activities/inspection.ts";
import {
  ANSWER_CELLS,
  decodeActivities,
  decodeStreams,
  type DecodedActivity,
  type Streams,
} from "../../fit/index.ts";
import { MAX_FILE_BYTES } from "../../files/file.ts";
import { unwrap } from "../../files/unwrap.ts";
import { MemoryShortage, type IntakeHold } from "../../memory/budget.ts";
import { endpoint } from "../context.ts";
import { fileBody, readFileBody } from "../fileBody.ts";
import { fileProblems, memoryShort, problem, readProblems } from "../problem.ts";

/** Inspected bytes come without a ping, so nothing else says when they were recorded. */
const NO_FALLBACK = { fallbackStartInSeconds: null };

/** Each session's columns are one pass over the file: sixteen sessions of the largest file, seconds of work. */
const MAX_STREAM_WORK_BYTES = 16 * MAX_FILE_BYTES;

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
    const decoded = decodeActivities(fit, NO_FALLBACK);
    if (!decoded.ok) return problem(c, decoded.problem.code, decoded.problem.detail);
    const { warnings, activities } = decoded;
    c.var.logFields.activities = activities.length;
    const withStreams = c.req.valid("query").streams === "true";
    if (withStreams && activities.length * fit.byteLength > MAX_STREAM_WORK_BYTES) {
      const detail =
        "This file has too many sessions for its size to give all their streams; ask without streams.";
      return problem(c, "body_too_large", detail);
    }
    let numbers = 0;
    const inspected: Inspection["activities"] = [];
    for (const activity of activities) {
      if (!withStreams) {
        inspected.push(activity);
        continue;
      }
      const stream_data = streamsOf(fit, activity, hold);
      for (const column of Object.values(stream_data)) numbers += column.length;
      if (numbers > ANSWER_CELLS) {
        return problem(
          c,
          "body_too_large",
          `This file's streams have more than ${ANSWER_CELLS} numbers; ask without streams.`,
        );
      }
      inspected.push({ ...activity, stream_data });
    }
    return c.json({ warnings, activities: inspected }, 200);
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  } finally {
    hold.release();
  }
});

function streamsOf(fit: Uint8Array, activity: DecodedActivity, hold: IntakeHold): Streams["columns"] {
  const options = { ...NO_FALLBACK, sessionIndex: activity.session_index, keys: null, resolution: null };
  return decodeStreams(fit, options, hold.add)?.columns ?? {};
}
