import { isLoopback } from "../outbound/address.ts";
import type { Middleware } from "./context.ts";
import { problem } from "./problem.ts";

/** Two years. Without subdomains, because they may belong to other services. */
export const STRICT_TRANSPORT_SECURITY = "max-age=63072000";

/**
 * Rejects requests over plain HTTP before authentication reads their credentials. A redirect would hide from the caller
 * that its key was sent unencrypted.
 */
export const requireHttps: Middleware = async (c, next) => {
  const { protocol, hostname } = new URL(c.req.url);
  if (c.env.ENVIRONMENT === "local") {
    // A website can send requests to a local service by a name of its own that resolves to this machine.
    if (isLoopback(hostname)) return next();
    return problem(
      c,
      "https_required",
      "The `Host` header names another host than 127.0.0.1, localhost or [::1]. A local service accepts plain HTTP only with one of these hosts.",
    );
  }
  if (protocol === "https:") return next();
  return problem(
    c,
    "https_required",
    "The request was sent over plain HTTP and was not processed. Send it to the same address with https://. If it contained a key, ask us for a new key.",
  );
};

/** Makes browsers use HTTPS for later requests. A local service has no HTTPS. */
export const sendStrictTransportSecurity: Middleware = async (c, next) => {
  await next();
  if (c.env.ENVIRONMENT !== "local") {
    c.res.headers.set("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY);
  }
};
