import type { IntakeHold } from "../memory/budget.ts";
import { bodyChunks } from "./bodyChunks.ts";
import { rejectEncodedBody } from "./contentEncoding.ts";
import type { Middleware } from "./context.ts";
import { declaredLength } from "./jsonBody.ts";
import { problem } from "./problem.ts";

/** Initial size of a body's buffer. The buffer doubles until one step is `MAX_STEP_BYTES`. */
const FIRST_BYTES = 64 * 1024;
const MAX_STEP_BYTES = 4 * 1024 * 1024;

/** Maximum length of a media type that a detail quotes. */
const MAX_QUOTED_CHARACTERS = 100;
const FILE_TYPES = new Set(["application/octet-stream", "application/vnd.ant.fit"]);

/** Rejects encoded bodies and bodies of other media types before they are read. */
export const fileBody: Middleware = async (c, next) => {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0] ?? "";
  if (!FILE_TYPES.has(type.trim().toLowerCase())) {
    return problem(
      c,
      "unsupported_media_type",
      `The \`Content-Type\` header is ${type === "" ? "missing" : `\`${type.slice(0, MAX_QUOTED_CHARACTERS)}\``}. Send the bytes of the file as ${[...FILE_TYPES].join(" or ")}.`,
    );
  }
  return rejectEncodedBody(c) ?? next();
};

type FileBody = { ok: true; bytes: Uint8Array } | { ok: false; code: "body_too_large" | "memory_short" };

/**
 * Reads a body of at most `maxBytes`; `Content-Length` is not trusted. Reserves memory in steps as bytes arrive, each
 * before its allocation. Throws a `BodyIncomplete`.
 */
export async function readFileBody(request: Request, maxBytes: number, hold: IntakeHold): Promise<FileBody> {
  const declared = declaredLength(request);
  if (declared !== null && declared > maxBytes) return { ok: false, code: "body_too_large" };

  let buffer = new ArrayBuffer(0);
  let received = 0;
  // Leaving the loop early cancels the stream, so a rejected body is not read to its end.
  for await (const chunk of bodyChunks(request)) {
    const needed = received + chunk.byteLength;
    if (needed > maxBytes) return { ok: false, code: "body_too_large" };
    if (needed > buffer.byteLength) {
      const step = Math.min(MAX_STEP_BYTES, Math.max(FIRST_BYTES, received));
      const bytes = Math.max(needed, Math.min(declared ?? maxBytes, received + step));
      if (!hold.tryGrowTo(bytes)) return { ok: false, code: "memory_short" };
      // `transfer` frees the old buffer at once. After a copy it would wait for the garbage collector.
      buffer = buffer.transfer(bytes);
    }
    new Uint8Array(buffer).set(chunk, received);
    received = needed;
  }
  return { ok: true, bytes: new Uint8Array(buffer, 0, received) };
}
