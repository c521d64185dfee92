import { createHash } from "node:crypto";
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { databaseFor } from "../database.ts";
import { claimRequest, keepAnswer, releaseRequest, type RequestName } from "../idempotency/write.ts";
import { faultName } from "../log.ts";
import type { AppEnv } from "./context.ts";
import { problem } from "./problem.ts";

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

/** An action that is carried out once, however often its request is repeated. */
interface IdempotentAction<T> {
  run(): Promise<T>;
  /** Returns what to store of the outcome: enough to rebuild it from the same request, and nothing personal. */
  keep(outcome: T): string;
  rebuild(kept: string): T;
}

/**
 * Runs an action once for each `Idempotency-Key` of a partner, path and query; without a key, always runs it. Returns
 * the outcome, or the problem to answer with. Throws what the action throws, and when the database is down.
 */
export async function runOnce<T>(c: Context<AppEnv>, key: string | undefined, action: IdempotentAction<T>) {
  if (key === undefined) return { ok: true as const, outcome: await action.run() };
  const { partner_id } = c.var.partner;
  const database = databaseFor(c.env, partner_id, null);
  const name: RequestName = {
    partner_id,
    key_hash: hashOf(c.req.path, new URL(c.req.url).search, key),
  };
  const requestHash = hashOf(c.req.header("Prefer") ?? "", await c.req.text());
  const claimed = await claimRequest(database, name, requestHash, Date.now());
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
    case "ours": {
      const outcome = await action.run().catch(async (fault: unknown) => {
        await releaseRequest(database, name, claimed.until).catch(() => undefined);
        throw fault;
      });
      // The action is done. When its answer cannot be stored, the claim expires and the answer is sent all the same.
      await keepAnswer(database, name, claimed.until, action.keep(outcome), Date.now()).catch(
        (fault: unknown) => {
          c.var.logFields["not_kept"] = faultName(fault);
        },
      );
      return { ok: true as const, outcome };
    }
  }
}
