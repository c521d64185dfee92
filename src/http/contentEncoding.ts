import type { Context } from "hono";
import type { AppEnv } from "./context.ts";
import { problem } from "./problem.ts";

/** Returns a 415 for a body with a content coding, else null. The header may list several codings. */
export function rejectEncodedBody(c: Context<AppEnv>) {
  const codings = (c.req.header("Content-Encoding") ?? "").toLowerCase().split(",");
  if (codings.every((coding) => ["", "identity"].includes(coding.trim()))) return null;
  return problem(
    c,
    "unsupported_content_encoding",
    "The request has a `Content-Encoding`, and no encoding is accepted. Send the body uncompressed and without this header. Send a gzip or zip file for inspection as it is, also without this header.",
    { headers: { "Accept-Encoding": "identity" } },
  );
}
