import { isLoopback } from "../outbound/address.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Two years, without subdomains: they may belong to others. */
export const STRICT_TRANSPORT_SECURITY = "max-age=63072000";

/**
 * Rejects requests over plain http before it reads credentials. A redirect would hide from the caller that its key was
 * sent unencrypted.
 */
export const secureTransport: Middleware = async (c, next) => {
  const { protocol, hostname } = new URL(c.req.url);
  if (c.env.ENVIRONMENT === "local") {
    // A page of another site can reach local services by a name that resolves to this machine.
    if (isLoopback(hostname)) return next();
    return problem(
      c,
      "https_required",
      "A local service accepts requests to 127.0.0.1, localhost and [::1] only; the Host header names another host.",
    );
  }
  if (protocol === "https:") return next();
  return problem(
    c,
    "https_required",
    "This request came over plain http, and nothing was done. Send it to the same address with https://. If it carried a key, ask us for a new one.",
  );
};

/** Makes browsers use https from now on. A local service has no https. */
export const strictTransport: Middleware = async (c, next) => {
  await next();
  if (c.env.ENVIRONMENT !== "local") {
    c.res.headers.set("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY);
  }
};
