import { useState } from "preact/hooks";
import type { Api, Problem } from "../api.ts";
import { ProblemBox } from "./page.tsx";

/** A button that deletes a file after a confirmation. Calls `onDeleted` afterwards. */
export function DeleteFile({ api, path, onDeleted }: { api: Api; path: string; onDeleted: () => void }) {
  const [state, setState] = useState<"idle" | "asking" | "busy">("idle");
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async () => {
    setState("busy");
    const result = await api.delete(path);
    setProblem(result.ok ? null : result.problem);
    setState("idle");
    if (result.ok) onDeleted();
  };
  return (
    <div class="action">
      {state === "idle" ? (
        <button type="button" onClick={() => setState("asking")}>
          Delete…
        </button>
      ) : (
        <>
          <span role="status">Delete the file, its activities and its bytes?</span>
          <button type="button" disabled={state === "busy"} onClick={() => void send()}>
            Delete the file
          </button>
          <button type="button" disabled={state === "busy"} onClick={() => setState("idle")}>
            Keep it
          </button>
        </>
      )}
      <ProblemBox problem={problem} />
    </div>
  );
}
