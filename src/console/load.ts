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
  readonly reload: () => Promise<void>;
}

/** A list that grows page by page; looking again brings the first page anew. */
export function useList<T>(api: Api, path: string, everyMs = 0): LoadedList<T> {
  const first = useLoad<Page<T>>(api, path, everyMs);
  const [rest, setRest] = useState<{ path: string; rows: T[]; cursor: string | null } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const later = rest?.path === path ? rest : null;
  const cursor = later === null ? (first.value?.next_cursor ?? null) : later.cursor;
  const more = async () => {
    const join = path.includes("?") ? "&" : "?";
    const result = await api.get<Page<T>>(`${path}${join}cursor=${encodeURIComponent(cursor ?? "")}`);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      setRest({
        path,
        rows: [...(later?.rows ?? []), ...result.value.data],
        cursor: result.value.next_cursor,
      });
    }
  };
  return {
    rows: first.value === null ? null : [...first.value.data, ...(later?.rows ?? [])],
    problem: first.problem ?? problem,
    more: cursor === null ? null : more,
    reload: async () => {
      setRest(null);
      await first.reload();
    },
  };
}
