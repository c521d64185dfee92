import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { inBytes } from "../../contract/amounts.ts";
import { MAX_FILE_BYTES, MAX_RR_INTERVALS } from "../../contract/limits.ts";
import { inspectionSchema } from "../../activities/inspection.ts";
import { decodeActivities, decodeWithData } from "../../fit/index.ts";
import { unwrap } from "../../files/unwrap.ts";
import { freeBytes, MemoryShortage, requestMemory, type IntakeHold } from "../../memory/budget.ts";
import { heldJson } from "../heldResponse.ts";
import { endpoint, type AppEnv } from "../context.ts";
import { fileBody, readFileBody } from "../fileBody.ts";
import { declaredLength } from "../jsonBody.ts";
import { fileProblems, memoryShort, problem, readProblems } from "../problem.ts";
import { chargeBytes, spendDeclared } from "../rateLimit.ts";

/** An inspected file has no ping that could name its start time. */
const withoutPing = () => ({ fallbackStartInSeconds: null, receivedAtInSeconds: Date.now() / 1000 });

const bytes = { schema: z.string().openapi({ format: "binary" }) };

const route = createRoute({
  method: "post",
  path: "/api/fit/inspect/",
  summary: "Decode a file as an import would, without storing it",
  middleware: fileBody,
  request: {
    query: z.strictObject({
      streams: z.enum(["true", "false"]).optional(),
    }),
    body: {
      required: true,
      description: `The bytes of a FIT file, or of a gzip or zip file with one FIT file. At most ${inBytes(MAX_FILE_BYTES)}.`,
      content: { "application/octet-stream": bytes, "application/vnd.ant.fit": bytes },
    },
  },
  responses: {
    200: {
      description: "The activities that an import would store.",
      content: { "application/json": { schema: inspectionSchema } },
    },
    ...readProblems,
    ...fileProblems,
  },
});

/**
 * Reads a body and unpacks its FIT file. Afterwards only the memory of the FIT file is reserved. Counts the body unless
 * its length was declared, and the unpacked bytes: a small archive may take as much CPU time as the largest file.
 */
async function readFit(c: Context<AppEnv>, declared: number | null, hold: IntakeHold) {
  const body = await readFileBody(c.req.raw, MAX_FILE_BYTES, hold);
  if (!body.ok) return { ...body, detail: `A file may have at most ${MAX_FILE_BYTES} bytes.` };
  const receivedBytes = body.bytes.byteLength;
  let unpackedBytes = 0;
  const unwrapped = unwrap(body.bytes, (bytes) => {
    hold.add(bytes);
    unpackedBytes = bytes;
  });
  const workedBytes = Math.max(receivedBytes, unwrapped.ok ? unwrapped.fit.byteLength : unpackedBytes);
  chargeBytes(c, workedBytes, declared ?? 0);
  if (!unwrapped.ok) return unwrapped;
  const { fit } = unwrapped;
  if (fit.buffer !== body.bytes.buffer) freeBytes(body.bytes);
  hold.keep(fit.buffer.byteLength);
  return { ok: true as const, fit };
}

export const inspectFile = endpoint(route, async (c) => {
  const declared = declaredLength(c.req.raw);
  // A declared length counts against the rate limit before the body is read.
  const limited = declared === null || declared > MAX_FILE_BYTES ? null : spendDeclared(c, declared);
  if (limited !== null) return limited;
  const hold = requestMemory(c.var.partner.partner_id);
  let isHeldByResponse = false;
  try {
    const read = await readFit(c, declared, hold);
    if (!read.ok) {
      return read.code === "memory_short" ? memoryShort(c) : problem(c, read.code, read.detail);
    }
    const { fit } = read;
    const withStreams = c.req.valid("query").streams === "true";
    const decoded = withStreams
      ? decodeWithData(fit, { ...withoutPing(), most: MAX_RR_INTERVALS }, hold.add)
      : { ...decodeActivities(fit, withoutPing()), data: [] };
    freeBytes(fit);
    if (!decoded.ok) return problem(c, decoded.problem.code, decoded.problem.detail);
    const { warnings, activities, data } = decoded;
    c.var.logFields["activities"] = activities.length;
    if (data === null) {
      return problem(
        c,
        "body_too_large",
        "The file is too large to be inspected with streams. Send it without `streams=true`.",
      );
    }
    const inspected = activities.map(({ load_evidence: _stored, ...activity }, index) => {
      const ofActivity = data[index];
      return ofActivity === undefined
        ? activity
        : {
            ...activity,
            stream_data: ofActivity.streams.columns,
            rr_intervals: ofActivity.rrIntervals,
          };
    });
    const answer = heldJson(c, { warnings, activities: inspected }, hold);
    if (answer === null) {
      return problem(
        c,
        "answer_too_large",
        "The result exceeds the memory for one response. Send the file without `streams=true`.",
      );
    }
    isHeldByResponse = true;
    return answer;
  } catch (fault) {
    if (fault instanceof MemoryShortage) return memoryShort(c);
    throw fault;
  } finally {
    if (!isHeldByResponse) hold.release();
  }
});
