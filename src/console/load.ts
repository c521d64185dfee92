import { useCallback, useEffect, useState } from "preact/hooks";
import type { Api, Page, Problem } from "./api.ts";
import { currentVisit } from "./router.ts";

export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
  readonly reload: () => Promise<void>;
}

interface State<T> {
  value: T | null;
  problem: Problem | null;
}

/** Keeps a state under `key` in a map of the current visit, so that Back shows it again. */
function useKept<T>(
  kept: Map<string, unknown>,
  key: string,
  initial: T,
): [state: T, keep: (state: T) => void, now: () => T] {
  const [, draw] = useState({});
  const now = useCallback(
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only `keep` of this hook writes the key
    () => (kept.has(key) ? (kept.get(key) as T) : initial),
    [kept, key],
  );
  const keep = useCallback(
    (state: T) => {
      kept.set(key, state);
      draw({});
    },
    [kept, key],
  );
  return [now(), keep, now];
}

/** Reads `path`, unless it is null, now, on `reload`, and every `everyMs` while `polls` returns true for the latest value. */
export function useLoad<T>(
  api: Api,
  path: string | null,
  everyMs = 0,
  polls: (value: T) => boolean = () => true,
): Loaded<T> {
  const [{ value, problem }, keep, now] = useKept<State<T>>(currentVisit().loaded, path ?? "", {
    value: null,
    problem: null,
  });
  const reload = useCallback(async () => {
    if (path === null) return;
    const result = await api.get<T>(path);
    keep(
      result.ok ? { value: result.value, problem: null } : { value: now().value, problem: result.problem },
    );
  }, [api, path, keep, now]);
  useEffect(() => void reload(), [reload]);
  const isPolling = everyMs > 0 && (value === null || polls(value));
  useEffect(() => {
    if (!isPolling) return undefined;
    // A hidden tab sends no requests.
    const timer = setInterval(() => document.hidden || void reload(), everyMs);
    return () => clearInterval(timer);
  }, [isPolling, everyMs, reload]);
  return { value, problem, reload };
}

export interface LoadedList<T> {
  rows: T[] | null;
  problem: Problem | null;
  /** Loads the next page. Null when no page follows. */
  loadMore: (() => Promise<void>) | null;
  /** Whether the polling of this list is paused because more than its first page is loaded. */
  paused: boolean;
  readonly reload: () => Promise<void>;
}

/**
 * Reads a list page by page. Polls the first page every `everyMs` while `polls` returns true. Loading more pauses the
 * polling: later pages begin where the first page ended at that time. `reload` returns to the first page.
 */
export function useList<T>(
  api: Api,
  path: string,
  everyMs = 0,
  polls: () => boolean = () => true,
): LoadedList<T> {
  const [more, keepMore, moreNow] = useKept<{ page: Page<T> | null; problem: Problem | null }>(
    currentVisit().more,
    path,
    { page: null, problem: null },
  );
  const first = useLoad<Page<T>>(api, path, everyMs, () => more.page === null && polls());
  const list = more.page ?? first.value;
  const cursor = list?.next_cursor ?? null;
  const loadMore = async () => {
    const separator = path.includes("?") ? "&" : "?";
    const result = await api.get<Page<T>>(`${path}${separator}cursor=${encodeURIComponent(cursor ?? "")}`);
    if (result.ok) {
      const data = [...(list?.data ?? []), ...result.value.data];
      keepMore({ page: { data, next_cursor: result.value.next_cursor }, problem: null });
    } else keepMore({ page: moreNow().page, problem: result.problem });
  };
  return {
    rows: list?.data ?? null,
    problem: first.problem ?? more.problem,
    loadMore: cursor === null ? null : loadMore,
    paused: more.page !== null && everyMs > 0 && polls(),
    reload: async () => {
      keepMore({ page: null, problem: null });
      await first.reload();
    },
  };
}
