import type { ComponentChildren } from "preact";
import { spaced } from "../format.ts";
import type { LoadedList } from "../load.ts";
import { Empty, Loading, ProblemBox } from "./page.tsx";

/** A table that scrolls sideways by itself, so that the page never does. */
export function Table({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly (string | [text: string, kind: "number"])[];
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

/** A list's problem, its emptiness or its rows, and what asks for more of them. */
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
      <ProblemBox problem={list.problem} />
      {list.still && (
        <p class="note still">
          While more of it is open, this list stands as it was read.
          <button type="button" onClick={() => void list.reload()}>
            Refresh
          </button>
        </p>
      )}
      {list.rows === null ? (
        list.problem === null && <Loading />
      ) : list.rows.length === 0 ? (
        <Empty>{list.more === null ? empty : "None of the rows looked at so far fits."}</Empty>
      ) : (
        children(list.rows)
      )}
      {list.more === null ? null : (
        <button type="button" onClick={() => void list.more?.()}>
          Show more
        </button>
      )}
    </>
  );
}

/** A field of a filter: it takes effect when it is left, or with Enter. */
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
          <option value="">any</option>
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
