import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { RETENTION_HOURS } from "../contract/limits.ts";
import { databaseFor } from "../database/databases.ts";
import type { UserErased } from "../erasure/userErased.ts";
import { claimRequest, storeAnswer, releaseRequest, type RequestName } from "../idempotency/write.ts";
import { faultName } from "../log.ts";
import type { AppEnv } from "./context.ts";
import { problem, userErased } from "./problem.ts";

/** The `Idempotency-Key` header. Accepts any visible ASCII, which includes the quoted form of the IETF draft. */
export const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, "Send 1 to 255 visible ASCII characters.")
  .optional()
  .openapi({ example: "8e03978e-40d5-43dd-bc93-6894a57f9324" });

function hashOf(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("base64url");
}

/** An action that runs once, even if its request is repeated. */
interface IdempotentAction<T> {
  /** Hashes of the users that the request names. Erasing one of them deletes the stored outcome. */
  userHashes: readonly string[];
  run(): Promise<{ ok: true; outcome: T } | UserErased>;
  /** Returns the text to store: with the same request, enough to rebuild the outcome. It contains no personal data. */
  serialize(outcome: T): string;
  rebuild(stored: string): T | Promise<T>;
}

/**
 * Runs an action once for each `Idempotency-Key` of a partner, path and query. Without a key, always runs it. Returns the
 * outcome, or a problem response. Throws the action's errors and the database's.
 */
export async function runOnce<T>(c: Context<AppEnv>, key: string | undefined, action: IdempotentAction<T>) {
  if (key === undefined) return outcomeOf<T>(c, await action.run());
  const { partner_id } = c.var.partner;
  const database = databaseFor(c.env, c.var.partner);
  const name: RequestName = {
    partner_id,
    key_hash: hashOf(c.req.path, new URL(c.req.url).search, key),
  };
  const content = {
    request_hash: hashOf(c.req.header("Prefer") ?? "", await c.req.text()),
    user_hashes: action.userHashes,
  };
  const claimed = await claimRequest(database, name, content, Date.now());
  switch (claimed.state) {
    case "answered":
      return { ok: true as const, outcome: await action.rebuild(claimed.answer) };
    case "in_flight":
      return {
        ok: false as const,
        response: problem(
          c,
          "idempotency_in_flight",
          "An earlier request with this `Idempotency-Key` is still in progress. Send this request again after the time in `Retry-After`.",
          { headers: { "Retry-After": "1" } },
        ),
      };
    case "another_request":
      return {
        ok: false as const,
        response: problem(
          c,
          "idempotency_key_reused",
          `A different request was sent with this \`Idempotency-Key\` in the last ${RETENTION_HOURS} hours. Send this request with a new key.`,
        ),
      };
    case "claimed":
      return outcomeOf<T>(c, await runClaimed(c, database, name, claimed.until, action));
  }
}

/** Runs an action under its claim and stores the outcome. Releases the claim if the action has no outcome. */
async function runClaimed<T>(
  c: Context<AppEnv>,
  database: D1Database,
  name: RequestName,
  until: number,
  action: IdempotentAction<T>,
): Promise<{ ok: true; outcome: T } | UserErased> {
  const release = async () => releaseRequest(database, name, until).catch(() => undefined);
  const done = await action.run().catch(async (fault: unknown) => {
    await release();
    throw fault;
  });
  if (!done.ok) {
    await release();
    return done;
  }
  // The action is done, so its outcome is returned even if it cannot be stored. Then the claim expires.
  await storeAnswer(database, name, until, action.serialize(done.outcome), Date.now()).catch(
    (fault: unknown) => {
      c.var.logFields["not_kept"] = faultName(fault);
    },
  );
  return done;
}

function outcomeOf<T>(c: Context<AppEnv>, done: { ok: true; outcome: T } | UserErased) {
  return done.ok
    ? { ok: true as const, outcome: done.outcome }
    : { ok: false as const, response: userErased(c) };
}
