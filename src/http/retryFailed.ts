import { previewRetry, retryFiles, type FailedFiles } from "../files/retryFiles.ts";
import type { RequestContext } from "./context.ts";
import { problem } from "./problem.ts";
import { spendFiles, tooMany } from "./rateLimit.ts";

/**
 * Queues failed files again. Each counts as a file of the partner's limit, because each may be a request to a host.
 * Returns how many were queued, or the answer that refuses them all. `nothingLeft` is the detail when none can be
 * retried at any time.
 */
export async function retryFailed(c: RequestContext, which: FailedFiles, nothingLeft: string) {
  const { partner_id } = c.var.partner;
  const { files, retryable_at } = await previewRetry(c.env, partner_id, which);
  const refusal =
    files > 0
      ? spendFiles(c, files)
      : retryable_at === null
        ? notRetryable(c, nothingLeft)
        : retriedTooSoon(c, retryable_at - Date.now());
  if (refusal !== null) return { ok: false as const, refusal };
  const queued = await retryFiles(c.env, partner_id, which, files);
  if (queued === 0) return { ok: false as const, refusal: notRetryable(c, nothingLeft) };
  c.var.logFields.files = queued;
  return { ok: true as const };
}

function notRetryable(c: RequestContext, detail: string) {
  return problem(c, "not_retryable", detail);
}

function retriedTooSoon(c: RequestContext, remainingMs: number) {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1000));
  return tooMany(c, `A file can be retried once a minute; retry again in ${seconds} s.`, seconds);
}
