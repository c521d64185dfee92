import { useEffect, useState } from "preact/hooks";
import type { File, FileStatus } from "../../files/file.ts";
import type { RetriedImport } from "../../imports/import.ts";
import type { Api, Page, Problem } from "../api.ts";
import { counted, localTime, number } from "../format.ts";
import { withQuery } from "../withQuery.ts";
import { ProblemBox } from "./page.tsx";

const EVERY_MS = 2_000;
/** Rows on a page, and the number of pages that hold as many files as one request retries. */
const PAGE = { limit: "200", most: 5 };
/** A retried file leaves its import when it is pinged again. Then the page stops waiting for it after this time. */
const GIVE_UP_MS = 20_000;

/** What has become of the files of a retry so far. */
interface Followed {
  imported: number;
  failed: number;
  skipped: number;
  /** Earliest next attempt of a file that is queued and has failed again. */
  nextAttemptAt: string | null;
  isEnded: boolean;
}

export interface Retry {
  /** Whether files of the latest retry are still in progress. */
  isRunning: boolean;
  isSending: boolean;
  send: () => Promise<void>;
  /** The latest retry, or null before the first. */
  retried: { files: number; followed: Followed } | null;
  problem: Problem | null;
}

const NONE_YET: Followed = { imported: 0, failed: 0, skipped: 0, nextAttemptAt: null, isEnded: false };

/** Retries the files of an import at `path`, and follows them until the last one is settled. Calls `onChange` meanwhile. */
export function useRetry(api: Api, path: string, importId: string, onChange: () => Promise<void>): Retry {
  const [isSending, setSending] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [started, setStarted] = useState<{ files: number; at: string } | null>(null);
  const [followed, setFollowed] = useState<Followed>(NONE_YET);
  const isRunning = started !== null && !followed.isEnded;
  useEffect(() => {
    if (started === null) return undefined;
    const { files, at } = started;
    let latest = NONE_YET;
    let changedAt = Date.now();
    let timer = 0;
    const look = async () => {
      const found = document.hidden ? null : await follow(api, importId, at);
      if (timer === 0) return;
      if (found !== null) {
        const settled = found.imported + found.failed + found.skipped;
        if (settled !== latest.imported + latest.failed + latest.skipped) changedAt = Date.now();
        const isLost = !found.hasQueued && Date.now() - changedAt > GIVE_UP_MS;
        latest = { ...found, isEnded: settled >= files || isLost };
        setFollowed(latest);
        await onChange();
      }
      if (!latest.isEnded) timer = setTimeout(() => void look(), EVERY_MS);
    };
    timer = setTimeout(() => void look(), EVERY_MS / 2);
    return () => {
      clearTimeout(timer);
      timer = 0;
    };
    // oxlint-disable-next-line react/exhaustive-deps -- a retry is followed once
  }, [started]);
  const send = async () => {
    setSending(true);
    const result = await api.post<RetriedImport>(`${path}retry/`);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      setFollowed(NONE_YET);
      setStarted({ files: result.value.retried_files, at: result.value.retried_at });
    }
    await onChange();
    setSending(false);
  };
  return {
    isRunning,
    isSending,
    send,
    problem,
    retried: started === null ? null : { files: started.files, followed },
  };
}

/** Counts the files of the import that have changed since the instant. Null when they cannot be read now. */
async function follow(
  api: Api,
  importId: string,
  since: string,
): Promise<(Followed & { hasQueued: boolean }) | null> {
  const statuses = new Map<string, FileStatus>();
  let nextAttemptAt: string | null = null;
  let cursor = "";
  for (let page = 0; page < PAGE.most; page += 1) {
    const query = { import_id: importId, updated_since: since, limit: PAGE.limit, cursor };
    const result = await api.get<Page<File>>(withQuery("/api/files/", query));
    if (!result.ok) return null;
    for (const { file_id, status, next_attempt_at } of result.value.data) {
      statuses.set(file_id, status);
      if (next_attempt_at !== null && (nextAttemptAt === null || next_attempt_at < nextAttemptAt))
        nextAttemptAt = next_attempt_at;
    }
    cursor = result.value.next_cursor ?? "";
    if (cursor === "") break;
  }
  const count = (status: FileStatus) => [...statuses.values()].filter((one) => one === status).length;
  const [imported, failed, skipped] = [count("imported"), count("failed"), count("skipped")];
  return { imported, failed, skipped, nextAttemptAt, isEnded: false, hasQueued: count("queued") > 0 };
}

/** Says what a retry has done, and stays. */
export function RetryNote({ retry: { retried, problem } }: { retry: Retry }) {
  return (
    <>
      <div role="status" class="retrynote">
        {retried !== null && <p class="note">{sentenceOf(retried.files, retried.followed)}</p>}
      </div>
      <ProblemBox problem={problem} />
    </>
  );
}

function sentenceOf(files: number, { imported, failed, skipped, nextAttemptAt, isEnded }: Followed): string {
  const left = files - imported - failed - skipped;
  if (isEnded && imported === files)
    return `Retry finished: ${files === 1 ? "the file was" : `all ${number(files)} files were`} imported.`;
  const parts = [
    ...(imported > 0 ? [`${number(imported)} imported`] : []),
    ...(failed > 0 ? [`${number(failed)} failed again`] : []),
    ...(skipped > 0 ? [`${number(skipped)} skipped`] : []),
  ];
  if (isEnded) {
    if (left > 0) parts.push(`${number(left)} left this import, because they were pinged again or deleted`);
    return `Retry of ${counted(files, "file")} finished: ${parts.join(", ")}.`;
  }
  parts.push(`${number(left)} in progress`);
  const next =
    nextAttemptAt === null || Date.parse(nextAttemptAt) < Date.now()
      ? ""
      : ` The next attempt is at ${localTime(nextAttemptAt)}.`;
  return `${counted(files, "file")} queued again: ${parts.join(", ")}.${next}`;
}
