import { useState } from "preact/hooks";
import type { Endpoint, EventType } from "../../endpoints/endpoint.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api, Problem } from "../api.ts";
import { localTime } from "../format.ts";
import { useLoad } from "../load.ts";
import { Confirmed } from "../parts/confirmed.tsx";
import { EditText } from "../parts/edit.tsx";
import { DayStrip, EndpointMark, json, reasonOf, Recover } from "../parts/endpoints.tsx";
import { EventTypes } from "../parts/eventTypes.tsx";
import { Id } from "../parts/id.tsx";
import { Table } from "../parts/list.tsx";
import { Action, Facts, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Revealed } from "../parts/revealed.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go } from "../router.ts";
import { Locked } from "./settings.tsx";

const EVERY_MS = 5_000;

/** Returns a text for a receiver to return. */
function newChallenge(): string {
  return crypto.randomUUID();
}

export function EndpointView({ api, id }: { api: Api; id: string }) {
  const path = `/api/endpoints/${encodeURIComponent(id)}/`;
  const { value, problem, reload } = useLoad<Endpoint>(api, path, EVERY_MS);
  const partner = useLoad<PartnerWithUsage>(api, "/api/partner/");
  const [challenge] = useState(newChallenge);
  // All parts are shown at once, so that none moves another.
  if (value === null || (partner.value === null && partner.problem === null)) {
    return (
      <>
        <Heading title="Endpoint" />
        {problem === null ? <Loading /> : <ProblemBox problem={problem} onRetry={reload} />}
      </>
    );
  }
  const isLocked = partner.value?.self_service_locked !== false;
  const reason = reasonOf(value, isLocked);
  const test = `/api/events/test/?endpoint_id=${encodeURIComponent(id)}`;
  return (
    <>
      <Heading title={value.url} kind="Endpoint" />
      <ProblemBox problem={problem ?? partner.problem} />
      {partner.value?.self_service_locked === true && <Locked />}
      <div class="lead">
        <EndpointMark endpoint={value} />
        <DayStrip endpoint={value} />
      </div>
      {reason !== null && <p class="note">{reason}</p>}
      <div class="does">
        {value.verified_at === null && (
          <Action
            api={api}
            path={`${test}&challenge=${challenge}`}
            done="Challenge queued. The endpoint is verified when your receiver returns it."
            onDone={reload}
          >
            Send the challenge
          </Action>
        )}
        <Action
          api={api}
          path={test}
          done="Test event queued. It appears in the list of events."
          onDone={reload}
        >
          Send a test event
        </Action>
        {!isLocked && (
          <>
            <Hold api={api} path={path} endpoint={value} onDone={reload} />
            <Recover api={api} endpoint={value} onDone={reload} />
          </>
        )}
      </div>
      {!isLocked && <Settings api={api} path={path} endpoint={value} onDone={reload} />}
      <Secrets api={api} path={path} endpoint={value} isLocked={isLocked} onDone={reload} />
      <Facts
        facts={[
          ["Created", <When key="created" at={value.created_at} />],
          ["Verified", <When key="verified" at={value.verified_at} />],
          [
            "Events",
            <a key="events" href={addressOf(["events"], { endpoint_id: id })}>
              Of this endpoint
            </a>,
          ],
          ["Endpoint id", <Id key="id" id={id} what="endpoint id" />],
        ]}
      />
      {!isLocked && (
        <Confirmed
          button="Delete…"
          question="Delete this endpoint? Its undelivered events fail."
          confirm="Delete the endpoint"
          keep="Keep it"
          send={async () => api.delete(path)}
          onDone={(isDone) => (isDone ? go(["settings"]) : undefined)}
        />
      )}
    </>
  );
}

interface Part {
  api: Api;
  path: string;
  endpoint: Endpoint;
  onDone: () => Promise<void>;
}

/** Puts the endpoint on hold, or ends the hold. */
function Hold({ api, path, endpoint: { on_hold }, onDone }: Part) {
  return (
    <Confirmed
      key={String(on_hold)}
      button={on_hold ? "End the hold…" : "Hold…"}
      question={on_hold ? "Send the waiting events now?" : "Hold events until you end the hold?"}
      confirm={on_hold ? "End the hold" : "Hold events"}
      keep="Cancel"
      send={async () => api.patch(path, { on_hold: !on_hold })}
      onDone={onDone}
    />
  );
}

function Settings({ api, path, endpoint, onDone }: Part) {
  const [types, setTypes] = useState<EventType[] | null>(null);
  const [history, setHistory] = useState<boolean | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const event_types = types ?? endpoint.event_types;
  const include_history = history ?? endpoint.include_history;
  const isChanged =
    event_types.join(" ") !== endpoint.event_types.join(" ") || include_history !== endpoint.include_history;
  const save = async () => {
    setBusy(true);
    const result = await api.patch(path, { event_types, include_history });
    setProblem(result.ok ? null : result.problem);
    await onDone();
    if (result.ok) {
      setTypes(null);
      setHistory(null);
      setSaid("Saved.");
    }
    setBusy(false);
  };
  return (
    <section>
      <h2>Settings</h2>
      <EditText
        api={api}
        path={path}
        name="url"
        label="URL"
        value={endpoint.url}
        isEdited={false}
        onDone={onDone}
      />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <EventTypes chosen={event_types} onChosen={setTypes} />
        <label class="flag">
          <input
            type="checkbox"
            checked={include_history}
            onChange={(event) => setHistory(event.currentTarget.checked)}
          />{" "}
          Include outcomes of history files
        </label>
        <div class="action">
          <button type="submit" disabled={isBusy || !isChanged}>
            Save the types
          </button>
          <span role="status">{isChanged ? "" : said}</span>
        </div>
        <ProblemBox problem={problem} />
      </form>
    </section>
  );
}

/** The secrets that sign the endpoint's events, and a button for a new one. */
function Secrets({
  api,
  path,
  endpoint: { webhook_secrets: secrets },
  isLocked,
  onDone,
}: Part & { isLocked: boolean }) {
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <section>
      <h2>Signing secrets</h2>
      {secret !== null && <Revealed secret={secret} what="secret" onStored={() => setSecret(null)} />}
      <Table label="Signing secrets" head={["Secret id", "Created", "Expires"]}>
        {secrets.map(({ secret_id, created_at, expires_at }) => (
          <tr key={secret_id}>
            <td>
              <code>{secret_id}</code>
            </td>
            <td>
              <When at={created_at} isStill />
            </td>
            <td>{expires_at === null ? "never" : localTime(expires_at)}</td>
          </tr>
        ))}
      </Table>
      <p class="soft">
        Each event has one signature for each valid secret, so that your receiver can change from one to the
        next.
      </p>
      {!isLocked && (
        <Confirmed
          button="Rotate…"
          question="Create a new secret? The current one stays valid for a day."
          confirm="Create a new secret"
          keep="Keep it"
          send={async () => {
            const result = await api.post<{ webhook_secret: string }>(`${path}rotate_secret/`, json({}));
            if (result.ok) setSecret(result.value.webhook_secret);
            return result;
          }}
          onDone={onDone}
        />
      )}
    </section>
  );
}
