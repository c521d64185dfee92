import { useState } from "preact/hooks";
import type { Api, Problem } from "../../api.ts";
import { downloadBytes } from "../download.ts";
import { ProblemBox } from "../page.tsx";

/** Buttons that download the original file, and the activity and its streams as JSON. */
export function Exports({ api, fileId, activityId }: { api: Api; fileId: string; activityId: string }) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  /** Saves under the name that the service gives, or else under `name`. */
  const save = async (path: string, name: string) => {
    setBusy(true);
    const result = await api.getFile(path);
    setBusy(false);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) downloadBytes(result.value.name ?? name, result.value.bytes);
  };
  const activity = `/api/activities/${encodeURIComponent(activityId)}/`;
  return (
    <div class="exports">
      <button
        type="button"
        disabled={isBusy}
        onClick={() => void save(`/api/files/${encodeURIComponent(fileId)}/original/`, `${fileId}.fit`)}
      >
        Original file
      </button>
      <button type="button" disabled={isBusy} onClick={() => void save(activity, `${activityId}.json`)}>
        JSON
      </button>
      <button
        type="button"
        disabled={isBusy}
        onClick={() => void save(`${activity}streams/`, `${activityId}-streams.json`)}
      >
        Streams
      </button>
      <ProblemBox problem={problem} />
    </div>
  );
}
