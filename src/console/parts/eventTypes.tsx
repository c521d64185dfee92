import type { EventType } from "../../endpoints/endpoint.ts";
import { EVENT_TYPES, OUTCOME_TYPES } from "../../endpoints/eventTypes.ts";

const OUTCOMES: readonly EventType[] = OUTCOME_TYPES;

/** Boxes for the types of events that an endpoint receives. */
export function EventTypes({
  chosen,
  onChosen,
}: {
  chosen: readonly EventType[];
  onChosen: (types: EventType[]) => void;
}) {
  return (
    <fieldset class="types">
      <legend class="soft">Types of events</legend>
      {EVENT_TYPES.map((type) => (
        <label key={type}>
          <input
            type="checkbox"
            checked={chosen.includes(type)}
            onChange={({ currentTarget: { checked } }) =>
              onChosen(EVENT_TYPES.filter((one) => (one === type ? checked : chosen.includes(one))))
            }
          />{" "}
          <code>{type}</code>
          {OUTCOMES.includes(type) && <span class="soft"> (in batches)</span>}
        </label>
      ))}
    </fieldset>
  );
}
