import { useEffect, useState } from "preact/hooks";
import { withQuery } from "./withQuery.ts";

/** An address in the console: `#/files/abc?status=failed`. */
export interface Place {
  parts: string[];
  query: Record<string, string>;
}

/** Returns the decoded part, or the part itself when it is not valid percent-encoding, such as `%`. */
function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function currentPlace(): Place {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return {
    parts: path
      .split("/")
      .filter((part) => part !== "")
      .map(decodePart),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

/** What an entry of the history has shown. Back returns to it as it was left. Kept in memory only. */
export interface Visit {
  /** The responses that its page shows, by their paths. */
  readonly loaded: Map<string, unknown>;
  /** The further pages of lists, by the paths of these. */
  readonly more: Map<string, unknown>;
  /** The address without its query. */
  readonly page: string;
  scroll: number;
  /** Address of the page that followed. */
  left: string | null;
}

/** Maximum number of visits that are kept. */
const VISITS_KEPT = 20;
const visits = new Map<string, Visit>();
const pageOf = (hash: string) => hash.split("?")[0] ?? "";

let visit = enter(null);

/**
 * Returns the visit of the current entry of the history, a new one if the entry is new. The same page with another query
 * begins with the responses that it has shown.
 */
function enter(before: Visit | null): Visit {
  const state: unknown = history.state;
  const known = typeof state === "string" ? visits.get(state) : undefined;
  if (known !== undefined) return known;
  const key = `visit-${Math.random()}`;
  history.replaceState(key, "");
  const page = pageOf(location.hash);
  const isSame = before?.page === page;
  const entered: Visit = {
    page,
    loaded: new Map(isSame ? before.loaded : []),
    more: new Map(),
    scroll: isSame ? before.scroll : 0,
    left: null,
  };
  visits.set(key, entered);
  for (const oldest of visits.keys()) {
    if (visits.size <= VISITS_KEPT) break;
    visits.delete(oldest);
  }
  return entered;
}

export function currentVisit(): Visit {
  return visit;
}

/** Forgets what was shown, for another partner. */
export function forgetVisits(): void {
  visits.clear();
  history.replaceState(null, "");
  visit = enter(null);
}

export function usePlace(): Place {
  const [place, setPlace] = useState(currentPlace);
  useEffect(() => {
    history.scrollRestoration = "manual";
    const update = () => {
      const before = visit;
      before.scroll = scrollY;
      visit = enter(before);
      if (before !== visit) before.left = location.hash;
      setPlace(currentPlace());
    };
    addEventListener("hashchange", update);
    return () => removeEventListener("hashchange", update);
  }, []);
  return place;
}

export function addressOf(parts: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  return withQuery(`#/${parts.map(encodeURIComponent).join("/")}`, query);
}

export function go(parts: readonly string[], query: Readonly<Record<string, string>> = {}): void {
  location.hash = addressOf(parts, query);
}
