import { useState } from "preact/hooks";
import type { Api, Problem } from "../api.ts";
import { ProblemBox } from "./page.tsx";

/**
 * A field with its value, which is saved as an edit of `name` at `path`. An edited field can be undone. Calls `onDone` after
 * each saved edit.
 */
export function EditText({
  api,
  path,
  name,
  label,
  value,
  isEdited,
  onDone,
}: {
  api: Api;
  path: string;
  name: string;
  label: string;
  value: string | null;
  isEdited: boolean;
  onDone: () => Promise<void>;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const saved = useEdit(api, path, async () => {
    await onDone();
    setTyped(null);
  });
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        void saved.send({ [name]: typed ?? value ?? "" });
      }}
    >
      <label class="field">
        {label}
        <input
          value={typed ?? value ?? ""}
          autocomplete="off"
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={saved.isBusy || typed === null || typed === (value ?? "")}>
        Save
      </button>
      {isEdited && (
        <button type="button" disabled={saved.isBusy} onClick={() => void saved.send({ [name]: null })}>
          Undo edit
        </button>
      )}
      <ProblemBox problem={saved.problem} />
    </form>
  );
}

/** A box that is saved as an edit when it is checked or unchecked. */
export function EditFlag({
  api,
  path,
  name,
  label,
  value,
  onDone,
}: {
  api: Api;
  path: string;
  name: string;
  label: string;
  value: boolean;
  onDone: () => Promise<void>;
}) {
  const saved = useEdit(api, path, onDone);
  return (
    <div class="edit">
      <label class="box">
        <input
          type="checkbox"
          checked={value}
          disabled={saved.isBusy}
          onChange={(event) => void saved.send({ [name]: event.currentTarget.checked ? true : null })}
        />
        {label}
      </label>
      <ProblemBox problem={saved.problem} />
    </div>
  );
}

function useEdit(api: Api, path: string, onDone: () => Promise<void>) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const send = async (changes: object) => {
    setBusy(true);
    const result = await api.patch(path, changes);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) await onDone();
    setBusy(false);
  };
  return { isBusy, problem, send };
}
