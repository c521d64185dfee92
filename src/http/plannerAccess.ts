import { databaseFor } from "../database/databases.ts";
import { readPartnerAndUsage } from "../partners/registry.ts";
import { readGrantedAccess } from "../planner/read.ts";
import { plannerSecret } from "../planner/secret.ts";
import { grantOf, isToken } from "../planner/token.ts";
import type { Context } from "hono";
import type { AppEnv, Middleware } from "./context.ts";
import { notFound, problem } from "./problem.ts";

/** Id in the log of requests with a planner token, in place of a key's. */
const PLANNER_KEY_ID = "planner";

/**
 * Authenticates a planner token and sets `c.var.partner` and `c.var.grant`. Returns false for a token that is invalid or
 * has expired, and for one of another partner than `Partner-Id` names. `partnerId` is null without that header.
 */
export async function authenticatePlanner(
  c: Context<AppEnv>,
  token: string,
  partnerId: string | null,
): Promise<boolean> {
  const secret = plannerSecret(c.env);
  const grant = secret === null ? null : grantOf(secret, token, Date.now());
  if (grant === null || (partnerId !== null && partnerId !== grant.partner_id)) return false;
  const found = await readPartnerAndUsage(c.env.PARTNERS, grant.partner_id, Date.now());
  if (found === null) return false;
  c.set("partner", found.partner);
  c.set("usage", found.usage);
  c.set("isDatabaseFull", found.isDatabaseFull);
  c.set("grant", grant);
  c.var.logFields.key_id = PLANNER_KEY_ID;
  return true;
}

export { isToken as isPlannerToken };

/** Lists that a planner token reads, with `user_id` as a filter. */
const LISTS = new Set(["/api/files/", "/api/activities/"]);
/** Paths of a file or an activity. An activity's id begins with its file's id. */
const RESOURCE =
  /^\/api\/(?:files\/([^/.]+)\/(?:original\/)?|activities\/([^/.]+)\.\d+\/(?:streams\/|rr\/)?)$/;
/** Paths of a user. */
const USER = /^\/api\/users\/([^/]+)\/(?:training\/)?$/;

/** What a path reads: the user's own data, a file, or something that no planner token reads. */
type Subject = { kind: "user" } | { kind: "file"; fileId: string } | { kind: "other" };

function subjectOf(c: Context<AppEnv>, userId: string): Subject {
  const { method, path } = c.req;
  const slashed = path.endsWith("/") ? path : `${path}/`;
  if (method !== "GET" && method !== "HEAD") return { kind: "other" };
  if (LISTS.has(slashed)) {
    const users = c.req.queries("user_id") ?? [];
    return users.length === 1 && users[0] === userId ? { kind: "user" } : { kind: "other" };
  }
  const [, named] = USER.exec(slashed) ?? [];
  if (named !== undefined) return decoded(named) === userId ? { kind: "user" } : { kind: "other" };
  const [, file, activity] = RESOURCE.exec(slashed) ?? [];
  const fileId = file ?? activity;
  return fileId === undefined ? { kind: "other" } : { kind: "file", fileId };
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/**
 * Limits requests with a planner token to reads of the token's user: its files, activities, streams, R-R intervals and
 * baseline. Refuses the token once the user was erased after its issue, whatever the clocks show. Other requests pass.
 */
export const limitPlanner: Middleware = async (c, next) => {
  const { grant } = c.var;
  if (grant === undefined) return next();
  const subject = subjectOf(c, grant.user_id);
  if (subject.kind === "other") {
    return problem(
      c,
      "insufficient_scope",
      "The token reads the files, activities and training of one user. For a list, send the `user_id` of this user.",
    );
  }
  const fileId = subject.kind === "file" ? subject.fileId : null;
  const access = await readGrantedAccess(databaseFor(c.env, c.var.partner), grant, fileId);
  if (access.erasedBefore > grant.erased_before) return notFound(c, "user");
  if (fileId !== null && !access.ownsFile)
    return notFound(c, c.req.path.includes("/files/") ? "file" : "activity");
  return next();
};
