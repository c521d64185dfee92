import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Api, Page, Problem } from "./api.ts";

export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
  readonly reload: () => Promise<void>;
}

/** Reads `path` now, on `reload`, and every `everyMs` while `polls` returns true for the latest value. */
export function useLoad<T>(
  api: Api,
  path: string,
  everyMs = 0,
  polls: (value: T) => boolean = () => true,
): Loaded<T> {
  const [state, setState] = useState<{ path: string; value: T | null; problem: Problem | null }>({
    path,
    value: null,
    problem: null,
  });
  const current = useRef(path);
  current.current = path;
  const reload = useCallback(async () => {
    const result = await api.get<T>(path);
    if (current.current !== path) return;
    setState((before) =>
      result.ok
        ? { path, value: result.value, problem: null }
        : { path, value: before.path === path ? before.value : null, problem: result.problem },
    );
  }, [api, path]);
  useEffect(() => void reload(), [reload]);
  const isPolling = everyMs > 0 && state.path === path && (state.value === null || polls(state.value));
  useEffect(() => {
    if (!isPolling) return undefined;
    // A hidden tab sends no requests.
    const timer = setInterval(() => document.hidden || void reload(), everyMs);
    return () => clearInterval(timer);
  }, [isPolling, everyMs, reload]);
  const isCurrent = state.path === path;
  return { value: isCurrent ? state.value : null, problem: isCurrent ? state.problem : null, reload };
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
  const [extended, setExtended] = useState<{ path: string; page: Page<T> } | null>(null);
  const [failure, setFailure] = useState<{ path: string; problem: Problem } | null>(null);
  const loaded = extended?.path === path ? extended.page : null;
  const first = useLoad<Page<T>>(api, path, everyMs, () => loaded === null && polls());
  const list = loaded ?? first.value;
  const cursor = list?.next_cursor ?? null;
  const loadMore = async () => {
    const separator = path.includes("?") ? "&" : "?";
    const result = await api.get<Page<T>>(`${path}${separator}cursor=${encodeURIComponent(cursor ?? "")}`);
    setFailure(result.ok ? null : { path, problem: result.problem });
    if (result.ok) {
      const data = [...(list?.data ?? []), ...result.value.data];
      setExtended({ path, page: { data, next_cursor: result.value.next_cursor } });
    }
  };
  return {
    rows: list?.data ?? null,
    problem: first.problem ?? (failure?.path === path ? failure.problem : null),
    loadMore: cursor === null ? null : loadMore,
    paused: loaded !== null && everyMs > 0 && polls(),
    reload: async () => {
      setExtended(null);
      setFailure(null);
      await first.reload();
    },
  };
}
