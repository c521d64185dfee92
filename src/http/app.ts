import { OpenAPIHono } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import { matchedRoutes } from "hono/route";
import { METHODS } from "hono/router";
import { getPath } from "hono/utils/url";
import { faultName } from "../log.ts";
import { authenticate } from "./authentication.ts";
import { BodyIncomplete } from "./bodyChunks.ts";
import type { RequestContext, AppEnv, Middleware } from "./context.ts";
import { countRequests } from "./countRequests.ts";
import { requireDatabase, requireSchema } from "./database.ts";
import {
  bodyTooSlow,
  faultsIn,
  problem,
  invalidRequest,
  schemaMissing,
  storeUnavailable,
  unsupportedMediaType,
} from "./problem.ts";
import { announceDeprecations } from "./deprecations.ts";
import { isSchemaFault } from "../schema/schema.ts";
import { limitPlanner } from "./plannerAccess.ts";
import { isProgrammingError } from "./programmingError.ts";
import { requirePermission } from "./permission.ts";
import { limitRequests } from "./rateLimit.ts";
import { requireNewestPermission } from "./selfService.ts";
import { logRequests } from "./logRequests.ts";
import { requireHttps, sendStrictTransportSecurity } from "./transport.ts";
import {
  getActivity,
  getRrIntervals,
  getStreams,
  listActivities,
  patchActivity,
} from "./routes/activities.ts";
import { serveDocs } from "./routes/docs.ts";
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  listEndpoints,
  recoverEndpoint,
  rotateEndpointSecret,
} from "./routes/endpoints.ts";
import { getEvent, listEvents, resendEvent, sendTestEvent } from "./routes/events.ts";
import {
  deleteFile,
  getFile,
  getOriginal,
  getTimeline,
  listFiles,
  patchFile,
  retryFile,
} from "./routes/files.ts";
import { getHealth } from "./routes/health.ts";
import { getImport, listImports, postCancel, retryImport } from "./routes/imports.ts";
import { inspectFile } from "./routes/inspect.ts";
import { getReport } from "./routes/report.ts";
import { getOverview } from "./routes/overview.ts";
import { createKey, deleteKey } from "./routes/keys.ts";
import { getPartner, patchPartner } from "./routes/partner.ts";
import { postPings } from "./routes/pings.ts";
import { PLANNER_TOKEN_PATH, postPlannerToken } from "./routes/planner.ts";
import { postTask } from "./routes/tasks.ts";
import { getUsage } from "./routes/usage.ts";
import { deleteUser, getTraining, getUser, listUsers } from "./routes/users.ts";

/** Returns the path with a slash at its end. Documented paths have one; a path without it is the same route. */
function routePath(request: Request): string {
  const path = getPath(request);
  return path.endsWith("/") ? path : `${path}/`;
}

/** Rejects requests that match no route, before authentication: 405 if another method has a route, else 404. */
const rejectUnknownRoutes: Middleware = async (c, next) => {
  if (matchedRoutes(c).some((route) => route.method !== "ALL")) return next();
  const allowed = METHODS.map((method) => method.toUpperCase()).filter((method) =>
    app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method !== "ALL"),
  );
  if (allowed.length === 0) {
    return problem(c, "not_found", "No route matches this path. /docs/ and /openapi.json list all paths.");
  }
  const methods = allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return problem(c, "method_not_allowed", `The path supports ${methods}, not ${c.req.method}.`, {
    headers: { Allow: methods },
  });
};

/** Returns the response for an error that a handler or a middleware threw. */
function responseToError(fault: Error, c: RequestContext): Response {
  // The validators throw an HTTPException for a body that is not JSON and for a malformed media type.
  if (fault instanceof HTTPException) {
    return fault.status === 415
      ? unsupportedMediaType(c)
      : problem(c, "malformed_json", "The body cannot be parsed as JSON. Send one JSON value in UTF-8.");
  }
  c.var.logFields.fault = faultName(fault);
  if (fault instanceof BodyIncomplete) return bodyTooSlow(c);
  if (isSchemaFault(fault)) return schemaMissing(c);
  if (isProgrammingError(fault)) {
    return problem(
      c,
      "internal",
      "An error in this service prevented the request. Send it again later. If it fails again, send us the `request_id`.",
    );
  }
  return storeUnavailable(c);
}

export const app = new OpenAPIHono<AppEnv>({
  getPath: routePath,
  defaultHook: (result, c) => (result.success ? undefined : invalidRequest(c, faultsIn(result))),
});

app.use(logRequests, announceDeprecations(), sendStrictTransportSecurity, requireHttps);
app.use(rejectUnknownRoutes);
app.use(
  "/api/*",
  countRequests,
  requireSchema,
  authenticate,
  requireDatabase,
  limitRequests,
  limitPlanner,
  requirePermission,
);

app.use("/api/endpoints/*", requireNewestPermission);

app.openapiRoutes([
  postPings,
  postTask,
  listFiles,
  getFile,
  patchFile,
  getOriginal,
  getTimeline,
  retryFile,
  deleteFile,
  listActivities,
  getActivity,
  patchActivity,
  getStreams,
  getRrIntervals,
  listImports,
  getImport,
  postCancel,
  getReport,
  retryImport,
  listEvents,
  getEvent,
  resendEvent,
  sendTestEvent,
  listEndpoints,
  createEndpoint,
  getEndpoint,
  changeEndpoint,
  deleteEndpoint,
  recoverEndpoint,
  rotateEndpointSecret,
  listUsers,
  getUser,
  getTraining,
  deleteUser,
  getOverview,
  getPartner,
  patchPartner,
  getUsage,
  createKey,
  deleteKey,
  inspectFile,
  getHealth,
]);

app.post(PLANNER_TOKEN_PATH, postPlannerToken);

serveDocs(app);

app.onError(responseToError);
