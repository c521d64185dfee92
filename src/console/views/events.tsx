import { USER_AGENT_NAME } from "../../outbound/userAgent.ts";
import type { Event, EventStatus, EventWithAttempts } from "../../deliveries/event.ts";
import type { Endpoint } from "../../endpoints/endpoint.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { localTime, NONE, number } from "../format.ts";
import { useList, useLoad, type LoadedList } from "../load.ts";
import { CopyButton } from "../parts/copy.tsx";
import { EndpointRows } from "../parts/endpoints.tsx";
import { bodyOf, eventCurl } from "../parts/eventCurl.ts";
import { EventMark, NextAttempt } from "../parts/eventMark.tsx";
import { Id, UserLink } from "../parts/id.tsx";
import { Filters, List, Table, UserField } from "../parts/list.tsx";
import { Empty, Facts, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Select } from "../parts/select.tsx";
import { SendNow } from "../parts/sendNow.tsx";
import { When } from "../parts/when.tsx";
import { addressOf, go, type Place } from "../router.ts";
import { Locked } from "./settings.tsx";

const EVERY_MS = 3_000;
const ENDPOINTS_EVERY_MS = 10_000;
const STATUSES = ["pending", "held", "delivered", "failed"] as const satisfies readonly EventStatus[];
/** Types of events that a list can have. */
const TYPES = [
  "bulk_fit_import.completed",
  "import.cancelled",
  "outcomes.reported",
  "user.erased",
  "test.ping",
] as const;
const ANY = ["", "Any"] as const;
const HOUR_MS = 3_600_000;
/** Filters by the time of creation, by their name in the address. */
const TIMES: Readonly<Record<string, readonly [words: string, ms: number]>> = {
  "1h": ["Last hour", HOUR_MS],
  "24h": ["Last 24 hours", 24 * HOUR_MS],
  "7d": ["Last 7 days", 168 * HOUR_MS],
};

/** Leaves out rows that are older than `sinceMs`. Lists are newest first, so no later page has newer rows. */
function since<T extends { created_at: string }>(list: LoadedList<T>, sinceMs: number): LoadedList<T> {
  const rows = list.rows?.filter(({ created_at }) => Date.parse(created_at) >= sinceMs) ?? null;
  const isComplete = rows !== null && list.rows !== null && rows.length < list.rows.length;
  return { ...list, rows, loadMore: isComplete ? null : list.loadMore };
}

export function EventsView({ api, place }: { api: Api; place: Place }) {
  const { status = "", type = "", endpoint_id = "", created = "", user_id = "" } = place.query;
  const isFiltered = status + type + endpoint_id + created + user_id !== "";
  const path = withQuery("/api/events/", { status, type, endpoint_id, user_id });
  const all = useList<Event>(api, path, EVERY_MS);
  const within = TIMES[created]?.[1];
  const list = within === undefined ? all : since(all, Date.now() - within);
  const endpoints = useLoad<{ data: Endpoint[] }>(api, "/api/endpoints/", ENDPOINTS_EVERY_MS);
  const partner = useLoad<PartnerWithUsage>(api, "/api/partner/");
  const isLocked = partner.value?.self_service_locked !== false;
  const narrow = (change: Record<string, string>) => go(["events"], { ...place.query, ...change });
  // Both are shown at once: the buttons of an endpoint depend on the partner.
  const rows = partner.value === null && partner.problem === null ? undefined : endpoints.value?.data;
  return (
    <>
      <Heading title="Events" />
      <section>
        <h2>Endpoints</h2>
        {partner.value?.self_service_locked === true && <Locked />}
        <ProblemBox problem={endpoints.problem} />
        {rows === undefined ? (
          endpoints.problem === null && <Loading />
        ) : rows.length === 0 ? (
          <NoEndpoint isLocked={partner.value?.self_service_locked === true} />
        ) : (
          <EndpointRows
            api={api}
            endpoints={rows}
            isLocked={isLocked}
            onSent={async () => {
              await Promise.all([all.reload(), endpoints.reload()]);
            }}
          />
        )}
      </section>
      <Filters isFiltered={isFiltered}>
        <UserField api={api} value={user_id} onValue={(value) => narrow({ user_id: value })} />
        <Select
          label="Status"
          value={status}
          options={[ANY, ...STATUSES.map((one) => [one, one] as const)]}
          onValue={(value) => narrow({ status: value })}
        />
        <Select
          label="Type"
          value={type}
          options={[ANY, ...TYPES.map((one) => [one, one] as const)]}
          onValue={(value) => narrow({ type: value })}
        />
        <Select
          label="Created"
          value={created}
          options={[ANY, ...Object.entries(TIMES).map(([name, [words]]) => [name, words] as const)]}
          onValue={(value) => narrow({ created: value })}
        />
        {(rows ?? []).length > 1 && (
          <Select
            label="Endpoint"
            value={endpoint_id}
            options={[ANY, ...(rows ?? []).map((one) => [one.endpoint_id, one.url] as const)]}
            onValue={(value) => narrow({ endpoint_id: value })}
          />
        )}
      </Filters>
      <List
        list={list}
        empty={
          isFiltered
            ? "No events match these filters."
            : "No events yet. Completed imports and outcomes create them."
        }
      >
        {(events) => (
          <Table
            label="Events"
            head={["Created", "Status", "Type", "User", ["Attempts", "number"], "Next attempt"]}
          >
            {events.map((event) => (
              <tr key={event.id}>
                <td>
                  <a href={addressOf(["events", event.id])}>
                    <When at={event.created_at} isStill />
                  </a>
                </td>
                <td class="bare">
                  <EventMark event={event} />
                </td>
                <td class="bare">
                  <code class="unbroken">{event.type}</code>
                </td>
                <td>{event.user_id === null ? NONE : <UserLink id={event.user_id} />}</td>
                <td class="number">{number(event.attempt_count)}</td>
                <td>
                  <NextAttempt at={event.next_attempt_at} />
                </td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </>
  );
}

function NoEndpoint({ isLocked }: { isLocked: boolean }) {
  return (
    <div class="action">
      <button type="button" disabled aria-describedby="no-endpoint">
        Send a test event
      </button>
      <span id="no-endpoint" class="soft">
        No endpoint receives your events.{" "}
        {isLocked ? (
          "Ask us for one, or poll this list."
        ) : (
          <>
            Add one in the <a href={addressOf(["settings"])}>settings</a>, or poll this list.
          </>
        )}
      </span>
    </div>
  );
}

export function EventView({ api, id }: { api: Api; id: string }) {
  const path = `/api/events/${encodeURIComponent(id)}/`;
  const { value, problem, reload } = useLoad<EventWithAttempts>(
    api,
    path,
    EVERY_MS,
    (found) => found.status === "pending",
  );
  const endpoints = useLoad<{ data: Endpoint[] }>(api, "/api/endpoints/");
  // All parts are shown at once, so that none moves another.
  if (value === null || (endpoints.value === null && endpoints.problem === null)) {
    return (
      <>
        <Heading title="Event" />
        {problem === null ? <Loading /> : <ProblemBox problem={problem} onRetry={reload} />}
      </>
    );
  }
  const endpoint = endpoints.value?.data.find(({ endpoint_id }) => endpoint_id === value.endpoint_id) ?? null;
  return (
    <>
      <Heading title={`Event ${value.type}`} kind="Event" />
      <ProblemBox problem={problem} />
      <div class="lead">
        <EventMark event={value} />
        {value.next_attempt_at !== null && (
          <span class="soft">
            next attempt <NextAttempt at={value.next_attempt_at} />
          </span>
        )}
        <SendNow api={api} path={path} event={value} onDone={reload} />
      </div>
      <Facts
        facts={[
          ["Created", <When key="created" at={value.created_at} />],
          ["Endpoint", <EndpointLink key="endpoint" event={value} endpoint={endpoint} />],
          ["User", value.user_id === null ? NONE : <UserLink key="user" id={value.user_id} />],
          [
            "Import",
            value.import_id === null ? (
              NONE
            ) : (
              <Id id={value.import_id} what="import id" href={addressOf(["imports", value.import_id])} />
            ),
          ],
          ["webhook-id", <Id key="id" id={value.id} what="webhook-id" />],
        ]}
      />
      <Attempts event={value} />
      <Request event={value} endpoint={endpoint} />
      <section>
        <h2>Body</h2>
        <CopyButton text={bodyOf(value)} what="body" isNamed />
        <pre tabIndex={0} aria-label="Body of the event">
          {JSON.stringify({ type: value.type, timestamp: value.timestamp, data: value.data }, null, 2)}
        </pre>
      </section>
    </>
  );
}

function EndpointLink({ event, endpoint }: { event: Event; endpoint: Endpoint | null }) {
  if (event.endpoint_id === null) return <>No endpoint receives this type</>;
  if (endpoint === null) return <code>{event.endpoint_id}</code>;
  return (
    <a class="receiver" title={endpoint.url} href={addressOf(["settings", endpoint.endpoint_id])}>
      {endpoint.url}
    </a>
  );
}

function Attempts({ event }: { event: EventWithAttempts }) {
  return (
    <section>
      <h2>Attempts</h2>
      {event.attempts.length === 0 ? (
        <Empty>No attempts yet.</Empty>
      ) : (
        <Table label="Attempts" head={["Time", "Status", ["Duration", "number"], "Response"]}>
          {event.attempts.toReversed().map((attempt, index) => (
            <tr key={index}>
              <td>{localTime(attempt.at)}</td>
              <td class="bare">
                <span class={`status ${isSuccess(attempt.status) ? "good" : "bad"}`}>
                  {attempt.status ?? "no response"}
                </span>
              </td>
              <td class="number">{number(attempt.milliseconds, 0, "ms")}</td>
              <td class="wide">
                <code>{attempt.answer === "" ? "(empty body)" : attempt.answer}</code>
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

function isSuccess(status: number | null): boolean {
  return status !== null && status >= 200 && status < 300;
}

/** The request of the latest attempt, as far as it is known, and a command that sends one like it. */
function Request({ event, endpoint }: { event: EventWithAttempts; endpoint: Endpoint | null }) {
  const last = event.attempts.at(-1);
  const secrets = endpoint?.webhook_secrets.length ?? 1;
  const headers = [
    ["content-type", "application/json"],
    ["user-agent", `${USER_AGENT_NAME}/…`],
    ["webhook-id", event.id],
    [
      "webhook-timestamp",
      last === undefined
        ? "the time of the attempt, in Unix seconds"
        : String(Math.floor(Date.parse(last.at) / 1000)),
    ],
    [
      "webhook-signature",
      secrets > 1 ? `v1,… ${secrets} times, one for each valid secret` : "v1,… with your secret",
    ],
  ] as const;
  return (
    <section>
      <h2>Request</h2>
      {endpoint !== null && (
        <p>
          <code>POST {endpoint.url}</code>
        </p>
      )}
      <Table label="Headers of the latest attempt" head={["Header", "Value"]}>
        {headers.map(([name, value]) => (
          <tr key={name}>
            <td>
              <code>{name}</code>
            </td>
            <td class="wide">
              <code>{value}</code>
            </td>
          </tr>
        ))}
      </Table>
      <p class="soft">
        Signatures are not stored: each attempt has its own. The command signs the body with the secret in{" "}
        <code>WEBHOOK_SECRET</code> and sends it to your receiver.
      </p>
      {endpoint !== null && <CopyButton text={eventCurl(event, endpoint.url)} what="as curl" isNamed />}
    </section>
  );
}
