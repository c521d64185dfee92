import { useState } from "preact/hooks";
import type { Problem, Result } from "../api.ts";
import { ProblemBox } from "./page.tsx";

/**
 * A button that asks `question` first, and sends the request after a second click. Calls `onDone` with whether it
 * succeeded. `isOffered` hides the button, but not the problem of the last request.
 */
export function Confirmed({
  button,
  question,
  confirm,
  keep,
  isOffered = true,
  send,
  onDone,
}: {
  button: string;
  question: string;
  confirm: string;
  keep: string;
  isOffered?: boolean;
  send: () => Promise<Result<unknown>>;
  onDone: (isDone: boolean) => void | Promise<void>;
}) {
  const [state, setState] = useState<"idle" | "asking" | "busy">("idle");
  const [problem, setProblem] = useState<Problem | null>(null);
  const confirmed = async () => {
    setState("busy");
    const result = await send();
    setProblem(result.ok ? null : result.problem);
    await onDone(result.ok);
    setState("idle");
  };
  if (!isOffered && problem === null) return null;
  return (
    <div class="action">
      {!isOffered ? null : state === "idle" ? (
        <button type="button" onClick={() => setState("asking")}>
          {button}
        </button>
      ) : (
        <>
          <span role="status">{question}</span>
          <button type="button" disabled={state === "busy"} onClick={() => void confirmed()}>
            {confirm}
          </button>
          <button type="button" disabled={state === "busy"} onClick={() => setState("idle")}>
            {keep}
          </button>
        </>
      )}
      <ProblemBox problem={problem} />
    </div>
  );
}
