import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { databaseFor } from "../database/databases.ts";
import type { UserErased } from "../erasure/userErased.ts";
import { claimRequest, keepAnswer, releaseRequest, type RequestName } from "../idempotency/write.ts";
import { faultName } from "../log.ts";
import type { AppEnv } from "./context.ts";
import { problem, userErased } from "./problem.ts";

/** For a route's `headers`. Accepts any visible text, so that keys in the quoted form of the IETF draft pass. */
export const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, "Send 1 to 255 visible ASCII characters.")
  .optional()
  .openapi({
    param: {
      description:
        "Names this request: within 24 hours its repetition is answered as it was, and nothing is done again. " +
        "A request that was refused, or met a fault of ours, is not kept.",
    },
    example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
  });

function hashOf(...parts: string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("base64url");
}

/** An action that runs once, however often its request is repeated. */
interface IdempotentAction<T> {
  /** Hashes of the users that the request names. Erasing one of them deletes the kept answer. */
  userHashes: readonly string[];
  run(): Promise<{ ok: true; outcome: T } | UserErased>;
  /** Returns what to store of the outcome: enough to rebuild it from the same request, and nothing personal. */
  keep(outcome: T): string;
  rebuild(kept: string): T;
}

/**
 * Runs an action once for each `Idempotency-Key` of a partner, path and query; without a key, always runs it. Returns
 * the outcome, or the problem to answer with. Throws what the action throws, and when the database is down.
 */
export async function runOnce<T>(c: Context<AppEnv>, key: string | undefined, action: IdempotentAction<T>) {
  if (key === undefined) return outcomeOf<T>(c, await action.run());
  const { partner_id } = c.var.partner;
  const database = databaseFor(c.env, partner_id);
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
      return { ok: true as const, outcome: action.rebuild(claimed.answer) };
    case "in_flight":
      return {
        ok: false as const,
        refusal: problem(
          c,
          "idempotency_in_flight",
          "The request with this key is being answered; ask again in a moment.",
          { headers: { "Retry-After": "1" } },
        ),
      };
    case "another_request":
      return {
        ok: false as const,
        refusal: problem(
          c,
          "idempotency_key_reused",
          "Within 24 hours a key stands for one request, byte for byte. Send this one under a key of its own.",
        ),
      };
    case "ours":
      return outcomeOf<T>(c, await runAndKeep(c, database, name, claimed.until, action));
  }
}

/** Runs a claimed action and stores what to keep of its outcome. Releases the claim when there is no outcome. */
async function runAndKeep<T>(
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
  // The action is done. When its answer cannot be stored, the claim expires and the answer is sent all the same.
  await keepAnswer(database, name, until, action.keep(done.outcome), Date.now()).catch((fault: unknown) => {
    c.var.logFields["not_kept"] = faultName(fault);
  });
  return done;
}

function outcomeOf<T>(c: Context<AppEnv>, done: { ok: true; outcome: T } | UserErased) {
  return done.ok
    ? { ok: true as const, outcome: done.outcome }
    : { ok: false as const, refusal: userErased(c) };
}
