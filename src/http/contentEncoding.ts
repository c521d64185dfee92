import type { Context } from "hono";
import type { AppEnv } from "./context.ts";
import { problem } from "./problem.ts";

/** Refuses a body that is not sent as it is; null when it is. Several codings are listed with commas. */
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
