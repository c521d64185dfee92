import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Problem, Result } from "../api.ts";
import { ProblemBox } from "./page.tsx";

/** A button that opens a form. `send` creates something. When it succeeds the form closes; otherwise it shows the problem. */
export function AddForm<T>({
  button,
  confirm,
  send,
  onMade,
  onDone,
  children,
}: {
  button: string;
  confirm: string;
  send: () => Promise<Result<T>>;
  onMade: (made: T) => void;
  /** Called after every attempt. */
  onDone: () => Promise<void>;
  children: ComponentChildren;
}) {
  const [isOpen, setOpen] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const add = async () => {
    setBusy(true);
    const result = await send();
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      onMade(result.value);
      setOpen(false);
    }
    await onDone();
    setBusy(false);
  };
  if (!isOpen) {
    return (
      <button type="button" onClick={() => setOpen(true)}>
        {button}
      </button>
    );
  }
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        void add();
      }}
    >
      {children}
      <div class="action">
        <button type="submit" class="primary" disabled={isBusy}>
          {confirm}
        </button>
        <button type="button" disabled={isBusy} onClick={() => setOpen(false)}>
          Cancel
        </button>
      </div>
      <ProblemBox problem={problem} />
    </form>
  );
}
