import type { Context } from "hono";
import type { AppEnv } from "./context.ts";
import { problem } from "./problem.ts";

/** Rejects a body with a content coding; returns null for one without. Several codings are separated by commas. */
export function refuseEncoded(c: Context<AppEnv>) {
  const codings = (c.req.header("Content-Encoding") ?? "").toLowerCase().split(",");
  if (codings.every((coding) => ["", "identity"].includes(coding.trim()))) return null;
  return problem(
    c,
    "unsupported_content_encoding",
    "The request has a Content-Encoding, and none is accepted. Send the body uncompressed and without this header; a gzip file that is to be inspected needs none either.",
    { headers: { "Accept-Encoding": "identity" } },
  );
}
