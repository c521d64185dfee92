import type { ComponentChildren } from "preact";
import { spaced } from "../format.ts";
import type { LoadedList } from "../load.ts";
import { Empty, ProblemBox } from "./page.tsx";
import { Skeleton } from "./skeleton.tsx";

/** A table that scrolls sideways on its own, so that the page does not. */
export function Table({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly (string | readonly [text: string, kind: "number"])[];
  children: ComponentChildren;
}) {
  return (
    <div class="table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((cell) =>
              typeof cell === "string" ? (
                <th key={cell} scope="col">
                  {cell}
                </th>
              ) : (
                <th key={cell[0]} scope="col" class="number">
                  {cell[0]}
                </th>
              ),
            )}
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

/** A filter field. A text takes effect on Enter, or when the field loses the focus. */
export function FilterField({
  label,
  value,
  onValue,
  options,
}: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  options?: readonly string[];
}) {
  return (
    <label class="field">
      {label}
      {options === undefined ? (
        <input
          value={value}
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
