import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Api, Problem } from "./api.ts";
import { words } from "./format.ts";
import type { LoadedList } from "./load.ts";

/** What several views are made of. */

export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <header class="heading">
      <h1 tabIndex={-1}>{title}</h1>
      <div class="actions">{children}</div>
    </header>
  );
}

export function ProblemBox({ problem }: { problem: Problem | null }) {
  if (problem === null) return null;
  return (
    <div class="problem" role="alert">
      <strong>{problem.title}</strong>
      <p>{problem.detail}</p>
      <p class="soft">
        <code>{problem.code}</code>
        {problem.request_id === undefined ? null : ` · request ${problem.request_id}`}
      </p>
    </div>
  );
}

const MARKS: Readonly<Record<string, string>> = {
  imported: "good",
  completed: "good",
  delivered: "good",
  passed: "good",
  queued: "busy",
  running: "busy",
  pending: "busy",
  held: "wait",
  skipped: "wait",
  requested: "wait",
  completed_with_failures: "warn",
  failed: "bad",
};

export function Status({ of }: { of: string }) {
  return <span class={`status ${MARKS[of] ?? "wait"}`}>{words(of)}</span>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Loading() {
  return (
    <p class="empty" role="status">
      Loading …
    </p>
  );
}

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
      {list.rows === null ? (
        list.problem === null && <Loading />
      ) : list.rows.length === 0 ? (
        <Empty>{empty}</Empty>
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

/** A button that sends a POST, shows what came of it, and tells when it is done. */
export function Action({
  api,
  path,
  done,
  onDone,
  children,
}: {
  api: Api;
  path: string;
  done: string;
  onDone?: () => Promise<void>;
  children: ComponentChildren;
}) {
  const [state, setState] = useState<"idle" | "busy" | "done">("idle");
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async () => {
    setState("busy");
    const result = await api.post(path);
    setProblem(result.ok ? null : result.problem);
    setState(result.ok ? "done" : "idle");
    await onDone?.();
  };
  return (
    <div class="action">
      <button type="button" disabled={state === "busy"} onClick={() => void send()}>
        {children}
      </button>
      <span role="status">{state === "done" ? done : ""}</span>
      <ProblemBox problem={problem} />
    </div>
  );
}

/** Names and values, two columns where there is room. */
export function Facts({ of }: { of: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
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
              {words(option)}
            </option>
          ))}
        </select>
      )}
    </label>
  );
}
