import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Api, Problem } from "../api.ts";
import { spaced } from "../format.ts";
import { Sentence } from "./sentence.tsx";

/** Elements that every view uses. */

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
      <p>
        <Sentence text={problem.detail} />
      </p>
      {problem.errors?.map(({ detail }, index) => (
        <p key={index}>
          <Sentence text={detail} />
        </p>
      ))}
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
  cancelled: "wait",
  requested: "wait",
  completed_with_failures: "warn",
  failed: "bad",
};

export function Status({ status }: { status: string }) {
  return <span class={`status ${MARKS[status] ?? "wait"}`}>{spaced(status)}</span>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Loading() {
  return (
    <p class="empty" role="status">
      Loading…
    </p>
  );
}

/** A button that sends a POST request and shows its result. Calls `onDone` after every response. */
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

/** A list of names and values, in two columns where they fit. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
