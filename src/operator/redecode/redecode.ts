import { NO_DETAILS } from "../../activities/activity.ts";
import { decodeFile } from "../../activities/decodeFile.ts";
import { collectorOfId } from "../../collector/client.ts";
import { settleAll, valuesOf } from "../../concurrency/settleAll.ts";
import type { Env } from "../../env.ts";
import { DECODER_VERSION } from "../../fit/index.ts";
import type { Job, JobKind, PageResult } from "../jobs/job.ts";
import { withStoredBytes } from "../withStoredBytes.ts";
import {
  filesToRedecode,
  redecodeParametersSchema,
  replaceDecoded,
  type PageBounds,
  type RedecodedFile,
  type RedecodeParameters,
  type StoredFile,
} from "./write.ts";

/** Bounds of a page: its files are decoded in seconds, and written in one batch. */
const PAGE: PageBounds = { files: 100, bytes: 16 * 1024 * 1024 };
const SINGLE_FILE: PageBounds = { files: 1, bytes: 0 };
/** No further file of a page is decoded once its results have this many characters of JSON. */
const RESULT_CHARACTERS = 2_000_000;
/** Number of files that are read and decoded at the same time. */
const CONCURRENT_FILES = 6;

type Result =
  | { kind: "decoded"; decoded: RedecodedFile; characters: number }
  | { kind: "queued" }
  | { kind: "unchanged" }
  | { kind: "failed"; code: string };

/** Decodes stored files again, or queues files that failed with a code again from their stored bytes. */
export const REDECODE: JobKind = {
  pageFiles: PAGE.files,
  async read(env, database, job, alone) {
    const parameters = redecodeParametersSchema.parse(JSON.parse(job.parameters));
    const bounds = alone ? SINGLE_FILE : PAGE;
    const { files, end, isLast } = await filesToRedecode(database, job, parameters, DECODER_VERSION, bounds);
    const finished_at = isLast ? Date.now() : null;
    return {
      after: { ...job, ...end, looked_at: job.looked_at + files.length, finished_at },
      items: files,
      process: async () => redecodePage(env, database, job, parameters, files),
    };
  },
  unreadable: () => null,
};

async function redecodePage(
  env: Env,
  database: D1Database,
  job: Job,
  parameters: RedecodeParameters,
  files: readonly StoredFile[],
): Promise<PageResult> {
  let characters = 0;
  const settled = await settleAll(files, CONCURRENT_FILES, async (file): Promise<Result | null> => {
    if (characters > RESULT_CHARACTERS) return null;
    const result = await redecodeFile(env, parameters, file);
    if (result.kind === "decoded") characters += result.characters;
    return result;
  });
  // Files begin in their order, so those that were not decoded are the last ones.
  const results = valuesOf(settled).filter((result) => result !== null);
  const decoded = results.flatMap((result) => (result.kind === "decoded" ? result.decoded : []));
  const groups = [...Map.groupBy(decoded, ({ file }) => file.partner_id)].map(([partnerId, ofPartner]) =>
    replaceDecoded(database, partnerId, ofPartner, DECODER_VERSION),
  );
  const statements = groups.flat();
  const written = statements.length === 0 ? [] : await database.batch(statements);
  let changed = results.filter(({ kind }) => kind === "queued").length;
  let at = 0;
  for (const group of groups) {
    changed += written[at]?.meta.changes ?? 0;
    at += group.length;
  }
  const failures = results.flatMap((result, index) => {
    const file = files[index];
    if (result.kind !== "failed" || file === undefined) return [];
    return { partner_id: file.partner_id, file_id: file.file_id, code: result.code };
  });
  const last = files[results.length - 1];
  if (results.length === files.length || last === undefined) return { changed, failures };
  const position = {
    after_partner: last.partner_id,
    after_file: last.file_id,
    walked_files: job.walked_files + last.n,
  };
  return { changed, failures, after: { ...job, ...position, looked_at: job.looked_at + results.length } };
}

/** Decodes a readable file, or queues a failed one again from its stored bytes. Throws when a store fails. */
async function redecodeFile(env: Env, { code }: RedecodeParameters, file: StoredFile): Promise<Result> {
  if (code !== null) {
    const { partner_id, file_id } = file;
    const retried = { file_ids: [file_id], by: "operator" as const };
    const queued = await collectorOfId(env, partner_id, file_id).retry(retried, 1);
    return { kind: queued > 0 ? "queued" : "unchanged" };
  }
  const object = file.object_key === null ? null : await env.FILES.get(file.object_key);
  if (object === null) return { kind: "failed", code: "original_missing" };
  const read = await withStoredBytes(file.partner_id, object, (bytes) => decodeFile(bytes, file));
  if (!read.ok) return { kind: "failed", code: read.code };
  const { activities, warnings } = read.decoded;
  // Details are not stored. A page of them would be large.
  const stored = activities.map((activity) => ({ ...activity, ...NO_DETAILS }));
  const decoded = { file, warnings, activities: stored };
  return { kind: "decoded", decoded, characters: JSON.stringify(decoded.activities).length };
}
