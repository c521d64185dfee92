import type { ComponentChildren } from "preact";
import { deliveryIdOfEvent } from "../../deliveries/ids.ts";
import type { Import } from "../../imports/import.ts";
import { counted, localTime, number } from "../format.ts";
import { addressOf } from "../router.ts";
import { lasting } from "./lasting.ts";

type State = "done" | "busy" | "todo" | "warn" | "bad" | "none";

interface Stage {
  name: string;
  state: State;
  detail: ComponentChildren;
}

/** How each state reads to a screen reader. The drawing shows it by shape and colour. */
const WORDS: Readonly<Record<State, string>> = {
  done: "done",
  busy: "in progress",
  todo: "not yet",
  warn: "done with failures",
  bad: "failed",
  none: "not requested",
};

/** The stages of an import, from the pings to the event. */
export function Stages({ row }: { row: Import }) {
  return (
    <ol class="stages">
      {stagesOf(row).map(({ name, state, detail }) => (
        <li key={name} class={state}>
          <strong>
            {name} <span class="unseen">({WORDS[state]})</span>
          </strong>
          <span class="soft">{detail}</span>
        </li>
      ))}
    </ol>
  );
}

function stagesOf(row: Import): Stage[] {
  const { total } = row.files;
  const held: State = total === 0 ? "none" : "done";
  return [
    { name: "Pinged", state: held, detail: total === 0 ? "no files" : counted(total, "file") },
    { name: "Held", state: held, detail: total === 0 ? "no files" : "until the task" },
    { name: "Released", state: "done", detail: <>by the task, {localTime(row.requested_at)}</> },
    imported(row),
    plan(row),
    event(row),
  ];
}

function imported({ files, completed_at, requested_at, status }: Import): Stage {
  const settled = `${number(files.imported)} of ${counted(files.total, "file")}`;
  if (completed_at === null) return { name: "Imported", state: "busy", detail: settled };
  const took = lasting(Date.parse(completed_at) - Date.parse(requested_at));
  return {
    name: "Imported",
    state: status === "completed" ? "done" : files.imported === 0 && files.total > 0 ? "bad" : "warn",
    detail: `${settled}, in ${took}`,
  };
}

function plan({ training_plan, is_initial_import, completed_at, status }: Import): Stage {
  const name = "Training plan";
  if (training_plan !== null) {
    const state = { requested: "busy", delivered: "done", failed: "bad" } as const;
    return { name, state: state[training_plan.status], detail: training_plan.status };
  }
  if (!is_initial_import) return { name, state: "none", detail: "only for an initial import" };
  if (status === "cancelled" || completed_at !== null)
    return { name, state: "none", detail: "not requested" };
  return { name, state: "todo", detail: "after the import" };
}

function event({ event: sent, event_id, import_id, completed_at }: Import): Stage {
  const name = "Event";
  if (sent === null)
    return event_id === null
      ? { name, state: "none", detail: "the task had no event_id" }
      : { name, state: completed_at === null ? "todo" : "busy", detail: "after the import" };
  const { status, attempts } = sent;
  const isRetrying = status === "pending" && attempts > 0;
  const state = { pending: "busy", held: "todo", delivered: "done", failed: "bad" } as const;
  const word = isRetrying ? "retrying" : status;
  return {
    name,
    state: isRetrying ? "warn" : state[status],
    detail: (
      <a href={addressOf(["events", deliveryIdOfEvent(import_id)])}>
        {word}
        {attempts === 0 ? "" : `, ${counted(attempts, "attempt")}`}
      </a>
    ),
  };
}
