import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Api, Problem } from "../api.ts";
import { spaced } from "../format.ts";
import { Code } from "./code.tsx";
import { Icon } from "./icon.tsx";
import { Sentence } from "./sentence.tsx";
import { Skeleton } from "./skeleton.tsx";

/** Elements that every view uses. */

/** The heading of a page, which also names the tab. `kind` says what the title names: "File". */
export function Heading({
  title,
  kind,
  children,
}: {
  title: string;
  kind?: string;
  children?: ComponentChildren;
}) {
  useEffect(() => {
    document.title = [title, ...(kind === undefined || kind === title ? [] : [kind]), "Partner console"].join(
      " · ",
    );
  }, [title, kind]);
  return (
    <header class="heading">
      <h1 tabIndex={-1}>{title}</h1>
      <div class="actions">{children}</div>
    </header>
  );
}

/** A problem with its advice. `onRetry` reads what could not be read once more. */
export function ProblemBox({
  problem,
  onRetry,
}: {
  problem: Problem | null;
  onRetry?: (() => Promise<void>) | undefined;
}) {
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
        <Code name={problem.code} />
        {problem.request_id === undefined ? null : ` · request ${problem.request_id}`}
      </p>
      {onRetry !== undefined && (
        <button type="button" onClick={() => void onRetry()}>
          <Icon name="again" />
          Try again
        </button>
      )}
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
  return <Skeleton />;
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
