import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { User } from "../../users/user.ts";
import type { Api, Page } from "../api.ts";
import { NONE, spaced } from "../format.ts";
import { withQuery } from "../withQuery.ts";
import type { LoadedList } from "../load.ts";
import { Empty, ProblemBox } from "./page.tsx";
import { Skeleton } from "./skeleton.tsx";

type Head = readonly (string | readonly [text: string, kind: "number"])[];

const textOf = (cell: Head[number]) => (typeof cell === "string" ? cell : cell[0]);

/**
 * A table. On a narrow screen each row becomes a block with the names of its columns; with `scrolls`, for tables of many
 * numbers, it scrolls sideways instead, on its own, so that the page does not.
 */
export function Table({
  label,
  head,
  scrolls = false,
  children,
}: {
  label: string;
  head: Head;
  scrolls?: boolean;
  children: ComponentChildren;
}) {
  const region = useRef<HTMLDivElement>(null);
  const [isWide, setWide] = useState(false);
  useLayoutEffect(() => {
    for (const row of region.current?.querySelectorAll("tbody > tr") ?? []) {
      [...row.children].forEach((cell, index) => {
        const named = head[index];
        if (named !== undefined) cell.setAttribute("data-label", textOf(named));
        cell.toggleAttribute("data-none", cell.textContent === NONE);
      });
    }
  });
  useEffect(() => {
    const { current } = region;
    if (current === null) return undefined;
    // Only a table that scrolls needs the focus, for the arrow keys.
    const observer = new ResizeObserver(() => setWide(current.scrollWidth > current.clientWidth));
    observer.observe(current);
    const [table] = current.children;
    if (table !== undefined) observer.observe(table);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={region}
      class={scrolls ? "table scrolls" : "table"}
      role="region"
      aria-label={label}
      tabIndex={isWide ? 0 : undefined}
    >
      <table>
        <thead>
          <tr>
            {head.map((cell) => (
              <th key={textOf(cell)} scope="col" class={typeof cell === "string" ? undefined : "number"}>
                {textOf(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** The problem, the empty text or the rows of a list, with a button that loads more. */
export function List<T>({
  list,
  empty,
  children,
}: {
  list: LoadedList<T>;
  empty: ComponentChildren;
  children: (rows: T[]) => ComponentChildren;
}) {
  return (
    <>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {list.paused && (
        <p class="note paused">
          Automatic updates are paused while more rows are shown.
          <button type="button" onClick={() => void list.reload()}>
            Refresh
          </button>
        </p>
      )}
      {list.rows === null ? (
        list.problem === null && <Skeleton lines={12} />
      ) : list.rows.length === 0 ? (
        <Empty>
          {list.loadMore === null
            ? empty
            : "No matches in the rows searched so far. Select “Show more” to continue."}
        </Empty>
      ) : (
        children(list.rows)
      )}
      {list.loadMore === null ? null : (
        <button type="button" onClick={() => void list.loadMore?.()}>
          Show more
        </button>
      )}
    </>
  );
}

/** Two filter fields: the first and the last day in UTC. `what` happened on these days. */
export function DayFields({
  what,
  from,
  to,
  onChange,
}: {
  what: string;
  from: string;
  to: string;
  onChange: (days: { from: string } | { to: string }) => void;
}) {
  return (
    <>
      <FilterField
        label={`${what} from (UTC)`}
        type="date"
        value={from}
        onValue={(value) => onChange({ from: value })}
      />
      <FilterField
        label={`${what} to (UTC)`}
        type="date"
        value={to}
        onValue={(value) => onChange({ to: value })}
      />
    </>
  );
}

/** A filter field. A text takes effect on Enter, or when the field loses the focus. */
export function FilterField({
  label,
  value,
  onValue,
  options,
  type = "text",
  placeholder,
}: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  options?: readonly string[];
  type?: "text" | "date";
  placeholder?: string;
}) {
  return (
    <label class="field">
      {label}
      {type === "date" ? (
        <input
          type="date"
          value={value}
          onChange={({ currentTarget: { value: day } }) => {
            // While a year is typed, the browser reports years such as 0002.
            if (day === "" || day >= "1970") onValue(day);
          }}
        />
      ) : options === undefined ? (
        <input
          value={value}
          placeholder={placeholder}
          autocomplete="off"
          onChange={(event) => onValue(event.currentTarget.value.trim())}
        />
      ) : (
        <select value={value} onChange={(event) => onValue(event.currentTarget.value)}>
          <option value="">Any</option>
          {options.map((option) => (
            <option key={option} value={option}>
              {spaced(option)}
            </option>
          ))}
        </select>
      )}
    </label>
  );
}

/** Maximum number of users that a field offers. */
const USERS_OFFERED = 10;

/** A filter field for a user, which offers the users whose ids begin with what is typed. */
export function UserField({
  api,
  value,
  onValue,
}: {
  api: Api;
  value: string;
  onValue: (value: string) => void;
}) {
  const [offered, setOffered] = useState<readonly string[]>([]);
  const newest = useRef("");
  const list = useId();
  const offer = async (typed: string) => {
    newest.current = typed;
    const query = { user_id_prefix: typed, limit: String(USERS_OFFERED) };
    const result = await api.get<Page<User>>(withQuery("/api/users/", query));
    if (newest.current === typed && result.ok) setOffered(result.value.data.map(({ user_id }) => user_id));
  };
  return (
    <label class="field">
      User
      <input
        value={value}
        list={list}
        autocomplete="off"
        onFocus={(event) => void offer(event.currentTarget.value.trim())}
        onInput={(event) => void offer(event.currentTarget.value.trim())}
        onChange={(event) => onValue(event.currentTarget.value.trim())}
      />
      <datalist id={list}>
        {offered.map((id) => (
          <option key={id} value={id} />
        ))}
      </datalist>
    </label>
  );
}

/** The filters of a list. On a narrow screen they are folded while none is set. */
export function Filters({ isFiltered, children }: { isFiltered: boolean; children: ComponentChildren }) {
  const [isOpen] = useState(() => isFiltered || matchMedia("(min-width: 40rem)").matches);
  return (
    <details class="filterbox" open={isOpen}>
      <summary>Filters</summary>
      <div class="filters">{children}</div>
    </details>
  );
}
