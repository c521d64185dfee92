import { createRoute, z } from "@hono/zod-openapi";
import { inspectionSchema } from "../../activities/inspection.ts";
import { decodeActivities, decodeWithStreams } from "../../fit/index.ts";
import { MAX_FILE_BYTES } from "../../files/file.ts";
import { unwrap } from "../../files/unwrap.ts";
import { freeBytes, MemoryShortage, requestMemory, type IntakeHold } from "../../memory/budget.ts";
import { heldJson } from "../answer.ts";
import { endpoint } from "../context.ts";
import { fileBody, readFileBody } from "../fileBody.ts";
import { declaredLength } from "../jsonBody.ts";
import { fileProblems, memoryShort, problem, readProblems } from "../problem.ts";
import { chargeBytes, spendDeclared } from "../rateLimit.ts";

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

/** Reads a body and unwraps it. Keeps memory for the FIT file only. */
async function readFit(request: Request, hold: IntakeHold) {
  const body = await readFileBody(request, MAX_FILE_BYTES, hold);
  if (!body.ok) return { ...body, detail: `A file has at most ${MAX_FILE_BYTES} bytes.` };
  const receivedBytes = body.bytes.byteLength;
  const unwrapped = unwrap(body.bytes, hold.add);
  if (!unwrapped.ok) return unwrapped;
  const { fit } = unwrapped;
  if (fit.buffer !== body.bytes.buffer) freeBytes(body.bytes);
  hold.keep(fit.buffer.byteLength);
  return { ok: true as const, fit, receivedBytes };
}

export const inspectFile = endpoint(route, async (c) => {
  const declared = declaredLength(c.req.raw);
  // A declared length is paid for before the body is read.
  const limited = declared === null || declared > MAX_FILE_BYTES ? null : spendDeclared(c, declared);
  if (limited !== null) return limited;
  const hold = requestMemory(c.var.partner.partner_id);
  let isHeldByAnswer = false;
  try {
    const read = await readFit(c.req.raw, hold);
    if (!read.ok) {
      return read.code === "memory_short" ? memoryShort(c) : problem(c, read.code, read.detail);
    }
    const { fit, receivedBytes } = read;
    if (declared === null) chargeBytes(c, receivedBytes);
    const withStreams = c.req.valid("query").streams === "true";
    const decoded = withStreams
      ? decodeWithStreams(fit, NO_FALLBACK, hold.add)
      : { ...decodeActivities(fit, NO_FALLBACK), streams: [] };
    freeBytes(fit);
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
    const answer = heldJson(c, { warnings, activities: inspected }, hold);
    if (answer === null) return problem(c, "answer_too_large", "Inspect this file without streams.");
    isHeldByAnswer = true;
    return answer;
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  } finally {
    if (!isHeldByAnswer) hold.release();
  }
});
