import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Api, Page, Problem } from "./api.ts";

export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
  readonly reload: () => Promise<void>;
}

/** Reads `path` now, on `reload`, and every `everyMs` for as long as `wanted` says so of what was read. */
export function useLoad<T>(
  api: Api,
  path: string,
  everyMs = 0,
  wanted: (value: T) => boolean = () => true,
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
  const again = everyMs > 0 && state.path === path && (state.value === null || wanted(state.value));
  useEffect(() => {
    if (!again) return undefined;
    // A tab that nobody sees asks for nothing.
    const timer = setInterval(() => document.hidden || void reload(), everyMs);
    return () => clearInterval(timer);
  }, [again, everyMs, reload]);
  const fresh = state.path === path;
  return { value: fresh ? state.value : null, problem: fresh ? state.problem : null, reload };
}

export interface LoadedList<T> {
  rows: T[] | null;
  problem: Problem | null;
  more: (() => Promise<void>) | null;
  /** Whether a list that is otherwise kept up to date stands as it was read. */
  still: boolean;
  readonly reload: () => Promise<void>;
}

/**
 * A list that grows page by page. Its first page is read anew every `everyMs` for as long as `wanted`; once more of
 * it is open it stands still, as its later pages begin where the first one ended then. `reload` begins again.
 */
export function useList<T>(
  api: Api,
  path: string,
  everyMs = 0,
  wanted: () => boolean = () => true,
): LoadedList<T> {
  const [grown, setGrown] = useState<{ path: string; page: Page<T> } | null>(null);
  const [refused, setRefused] = useState<{ path: string; problem: Problem } | null>(null);
  const opened = grown?.path === path ? grown.page : null;
  const first = useLoad<Page<T>>(api, path, everyMs, () => opened === null && wanted());
  const list = opened ?? first.value;
  const cursor = list?.next_cursor ?? null;
  const more = async () => {
    const join = path.includes("?") ? "&" : "?";
    const result = await api.get<Page<T>>(`${path}${join}cursor=${encodeURIComponent(cursor ?? "")}`);
    setRefused(result.ok ? null : { path, problem: result.problem });
    if (result.ok) {
      const data = [...(list?.data ?? []), ...result.value.data];
      setGrown({ path, page: { data, next_cursor: result.value.next_cursor } });
    }
  };
  return {
    rows: list?.data ?? null,
    problem: first.problem ?? (refused?.path === path ? refused.problem : null),
    more: cursor === null ? null : more,
    still: opened !== null && everyMs > 0 && wanted(),
    reload: async () => {
      setGrown(null);
      setRefused(null);
      await first.reload();
    },
  };
}
