import { previewRetry, retryFiles, type FailedFiles } from "../files/retryFiles.ts";
import type { RequestContext } from "./context.ts";
import { problem } from "./problem.ts";
import { spendFiles, rateLimited } from "./rateLimit.ts";

/**
 * Queues failed files again. Each counts against the partner's limit of files, because each may send a request to a host.
 * Returns how many were queued, or the response if none was. `notRetryableDetail` is its detail if no file can be retried later either.
 */
export async function retryFailed(
  c: RequestContext,
  files: { file_id: string } | { import_id: string },
  notRetryableDetail: string,
) {
  const { partner_id } = c.var.partner;
  const which: FailedFiles = { ...files, by: "partner" };
  const { files: count, retryable_at } = await previewRetry(c.env, partner_id, which);
  const response =
    count > 0
      ? spendFiles(c, count)
      : retryable_at === null
        ? notRetryable(c, notRetryableDetail)
        : retriedTooSoon(c, retryable_at - Date.now());
  if (response !== null) return { ok: false as const, response };
  const queued = await retryFiles(c.env, partner_id, which, count);
  if (queued === 0) return { ok: false as const, response: notRetryable(c, notRetryableDetail) };
  c.var.logFields.files = queued;
  return { ok: true as const, queued };
}

function notRetryable(c: RequestContext, detail: string) {
  return problem(c, "not_retryable", detail);
}

function retriedTooSoon(c: RequestContext, remainingMs: number) {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1000));
  return rateLimited(
    c,
    `A file can be retried once per minute. Send the request again in ${seconds} s.`,
    seconds,
  );
}
