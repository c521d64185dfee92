import { requestMemory, type IntakeHold } from "../memory/budget.ts";
import { bodyChunks } from "./bodyChunks.ts";
import { refuseEncoded } from "./contentEncoding.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Initial buffer for a body of unknown length. It doubles when it is full. */
const FIRST_BYTES = 64 * 1024;

const FILE_TYPES = new Set(["application/octet-stream", "application/vnd.ant.fit"]);

/** Rejects bodies of other media types, and encoded ones, before they are read. */
export const fileBody: Middleware = async (c, next) => {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0] ?? "";
  if (!FILE_TYPES.has(type.trim().toLowerCase())) {
    return problem(c, "unsupported_media_type", `Send the file's bytes as ${[...FILE_TYPES].join(" or ")}.`);
  }
  return refuseEncoded(c) ?? next();
};

type FileBody =
  { ok: true; bytes: Uint8Array; hold: IntakeHold } | { ok: false; code: "body_too_large" | "memory_short" };

/**
 * Reads at most `maxBytes` of a body, whatever its length header says. `hold` is the memory reserved for the bytes:
 * release it when they are no longer used.
 */
export async function readFileBody(request: Request, maxBytes: number, partnerId: string): Promise<FileBody> {
  const length = request.headers.get("Content-Length");
  const declared = length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null;
  if (declared !== null && declared > maxBytes) return { ok: false, code: "body_too_large" };

  const hold = requestMemory(partnerId);
  if (!hold.tryGrowTo(declared ?? FIRST_BYTES)) return { ok: false, code: "memory_short" };
  const refuse = (code: "body_too_large" | "memory_short"): FileBody => {
    hold.release();
    return { ok: false, code };
  };
  let buffer = new Uint8Array(declared ?? FIRST_BYTES);
  let received = 0;
  // Leaving the loop early cancels the stream, so a rejected body is not read to its end.
  try {
    for await (const chunk of bodyChunks(request)) {
      if (received + chunk.byteLength > maxBytes) return refuse("body_too_large");
      if (received + chunk.byteLength > buffer.byteLength) {
        const bytes = Math.min(maxBytes, Math.max(2 * buffer.byteLength, received + chunk.byteLength));
        if (!hold.tryGrowTo(bytes)) return refuse("memory_short");
        const grown = new Uint8Array(bytes);
        grown.set(buffer.subarray(0, received));
        buffer = grown;
      }
      buffer.set(chunk, received);
      received += chunk.byteLength;
    }
  } catch (fault) {
    hold.release();
    throw fault;
  }
  return { ok: true, bytes: buffer.subarray(0, received), hold };
}
