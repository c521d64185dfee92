import type { File } from "../files/file.ts";
import type { User } from "../users/user.ts";
import type { Api, Page, Problem } from "./api.ts";
import type { IconName } from "./parts/icon.tsx";
import { addressOf } from "./router.ts";
import { SECTIONS } from "./sections.ts";
import { withQuery } from "./withQuery.ts";

/** Something that the search found, or a page of the console. */
export interface Hit {
  kind: string;
  icon: IconName;
  title: string;
  detail: string;
  href: string;
}

/** A request of the search that failed. */
export class SearchError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/** Number of newest files among which a name is looked for. */
export const SEARCHED_FILES = 20_000;
/** Number of files that one page of the list searches. The API bounds it. */
const SEARCHED_PER_PAGE = 2_000;
/** Maximum number of users and of files that are shown. */
const SHOWN = 6;
/** Shorter texts fit too many files. */
const SHORTEST_NAME = 2;

const ID = "[0-9a-hjkmnp-tv-z]{42}";
const ID_IN_TEXT = new RegExp(String.raw`\bevt_\w+|\bep_\w+|(?<!\w)(?:plan_)?(${ID})(?:\.(\d{1,4}))?(?!\w)`);

interface Named {
  icon: IconName;
  kind: string;
  path: string;
  href: string;
}

/** Returns what an id in the text may name. An import and a file have ids of the same form. */
function namedBy(text: string): Named[] {
  const [found, id, session] = ID_IN_TEXT.exec(text) ?? [];
  if (found === undefined) return [];
  if (found.startsWith("evt_")) {
    return [
      { icon: "event", kind: "Event", path: `/api/events/${found}/`, href: addressOf(["events", found]) },
    ];
  }
  if (found.startsWith("ep_")) {
    return [
      { icon: "event", kind: "Endpoint", path: `/api/endpoints/${found}/`, href: addressOf(["settings"]) },
    ];
  }
  if (id === undefined) return [];
  const imported: Named = {
    icon: "import",
    kind: "Import",
    path: `/api/imports/${id}/`,
    href: addressOf(["imports", id]),
  };
  if (found.startsWith("plan_")) return [imported];
  if (session !== undefined) {
    const activity = `${id}.${session}`;
    return [
      {
        icon: "activity",
        kind: "Activity",
        path: `/api/activities/${activity}/`,
        href: addressOf(["activities", activity]),
      },
    ];
  }
  return [
    { icon: "file", kind: "File", path: `/api/files/${id}/`, href: addressOf(["files", id]) },
    imported,
  ];
}

/** Returns whether the text contains an id. */
export function hasId(text: string): boolean {
  return ID_IN_TEXT.test(text);
}

/** Returns the existing objects that an id in the text names. Throws a `SearchError`. */
export async function findById(api: Api, text: string): Promise<Hit[]> {
  const named = namedBy(text);
  const results = await Promise.all(named.map(async ({ path }) => api.get<unknown>(path)));
  const hits = named
    .filter((_, index) => results[index]?.ok)
    .map(({ icon, kind, href }) => ({ icon, kind, title: kind, detail: text, href }));
  const failed = results.find((result) => !result.ok && result.problem.code !== "not_found");
  if (hits.length === 0 && failed?.ok === false) throw new SearchError(failed.problem);
  return hits;
}

/** Returns the pages of the console whose titles contain the text. */
export function findPages(text: string): Hit[] {
  return SECTIONS.filter(([, title]) => title.toLowerCase().includes(text.toLowerCase())).map(
    ([id, title]) => ({
      kind: "Page",
      icon: "next" as const,
      title,
      detail: "",
      href: addressOf([id]),
    }),
  );
}

/** Returns the first users whose ids begin with the text. Throws a `SearchError`. */
export async function findUsers(api: Api, text: string): Promise<Hit[]> {
  const result = await api.get<Page<User>>(
    withQuery("/api/users/", { user_id_prefix: text, limit: String(SHOWN) }),
  );
  if (!result.ok) throw new SearchError(result.problem);
  return result.value.data.map(({ user_id }) => ({
    kind: "User",
    icon: "user",
    title: user_id,
    detail: "",
    href: addressOf(["users", user_id]),
  }));
}

/**
 * Calls `onHits` with the newest files whose ids or names contain the text, of one user or of all, each time it has found
 * more. Ends early when `isWanted` returns false. Returns the number of files that it searched, at least, and whether
 * these were all. Throws a `SearchError`.
 */
export async function findFiles(
  api: Api,
  text: string,
  userId: string,
  onHits: (hits: Hit[]) => void,
  isWanted: () => boolean,
): Promise<{ searched: number; isAll: boolean }> {
  const hits: Hit[] = [];
  if (text.length < SHORTEST_NAME) return { searched: 0, isAll: true };
  let cursor = "";
  let searched = 0;
  while (searched < SEARCHED_FILES && isWanted()) {
    const query = { user_id: userId, name_contains: text, limit: String(SHOWN), cursor };
    const result = await api.get<Page<File>>(withQuery("/api/files/", query));
    if (!result.ok) throw new SearchError(result.problem);
    const { data, next_cursor } = result.value;
    hits.push(...data.slice(0, SHOWN - hits.length).map(hitOf));
    if (isWanted()) onHits([...hits]);
    if (next_cursor === null || hits.length >= SHOWN) return { searched, isAll: true };
    searched += SEARCHED_PER_PAGE;
    cursor = next_cursor;
  }
  return { searched, isAll: false };
}

function hitOf({ summary_id, activity_name, user_id, source, status, file_id }: File): Hit {
  return {
    kind: "File",
    icon: "file",
    title: summary_id,
    detail: [activity_name, user_id, source, status].filter((text) => text !== null).join(" · "),
    href: addressOf(["files", file_id]),
  };
}
