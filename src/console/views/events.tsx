import type { Event, EventStatus, EventWithAttempts } from "../../deliveries/event.ts";
import type { PartnerSettings } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { withQuery } from "../withQuery.ts";
import { number, localTime, NONE } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { FilterField, List, Table } from "../parts/list.tsx";
import { Action, Empty, Facts, Heading, Loading, ProblemBox, Status } from "../parts/page.tsx";
import { addressOf, go, type Place } from "../router.ts";

const EVERY_MS = 3_000;
const STATUSES: readonly EventStatus[] = ["pending", "delivered", "failed"];

export function EventsView({ api, place }: { api: Api; place: Place }) {
  const { status = "" } = place.query;
  const list = useList<Event>(api, withQuery("/api/events/", { status }), EVERY_MS);
  const partner = useLoad<PartnerSettings>(api, "/api/partner/");
  return (
    <>
      <Heading title="Events" />
      <ProblemBox problem={partner.problem} />
      {partner.value === null ? null : <Receiver partner={partner.value} />}
      <div class="filters">
        <FilterField
          label="Status"
          value={status}
          options={STATUSES}
          onValue={(value) => go(["events"], { status: value })}
        />
        <Action api={api} path="/api/events/test/" done="Test event sent." onDone={list.reload}>
          Send a test event
        </Action>
      </div>
      <List
        list={list}
        empty={
          status === ""
            ? "No events yet. Each task with an event_id creates one."
            : "No events have this status."
        }
      >
        {(rows) => (
          <Table
            label="Events"
            head={["Created", "Status", "Type", "User", ["Attempts", "number"], "Next attempt"]}
          >
            {rows.map((event) => (
              <tr key={event.id}>
                <td>
                  <a href={addressOf(["events", event.id])}>{localTime(event.created_at)}</a>
                </td>
                <td>
                  <Status status={event.status} />
                </td>
                <td>
                  <code>{event.type}</code>
                </td>
                <td>{event.user_id ?? NONE}</td>
                <td class="number">{number(event.attempt_count)}</td>
                <td>{localTime(event.next_attempt_at)}</td>
              </tr>
            ))}
          </Table>
        )}
      </List>
    </>
  );
}

function Receiver({ partner }: { partner: PartnerSettings }) {
  const { event_url, webhook_secrets: secrets } = partner;
  return (
    <Facts
      facts={[
        [
          "Endpoint",
          event_url === null ? (
            "None. Ask us to configure an event_url, or poll the list of events."
          ) : (
            <code key="url">{event_url}</code>
          ),
        ],
        [
          "Signed with",
          <>
            {secrets.length > 1 ? `${secrets.length} secrets, because a rotation is in progress: ` : ""}
            {secrets.map(({ secret_id, expires_at }) => (
              <span key={secret_id}>
                <code>{secret_id}</code>{" "}
                {expires_at === null ? "(active)" : `(active until ${localTime(expires_at)})`}{" "}
              </span>
            ))}
          </>,
        ],
      ]}
    />
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
  return (
    <>
      <Heading title="Event" />
      <ProblemBox problem={problem} />
      {value === null ? (
        problem === null && <Loading />
      ) : (
        <>
          <div class="lead">
            <Status status={value.status} />
            {value.status !== "pending" && (
              <Action api={api} path={`${path}resend/`} done="Queued for delivery." onDone={reload}>
                Resend
              </Action>
            )}
          </div>
          <Facts
            facts={[
              ["Type", <code key="type">{value.type}</code>],
              ["Created", localTime(value.created_at)],
              ["Next attempt", localTime(value.next_attempt_at)],
              ["User", value.user_id ?? NONE],
              [
                "Import",
                value.import_id === null ? (
                  NONE
                ) : (
                  <a href={addressOf(["imports", value.import_id])}>{value.import_id}</a>
                ),
              ],
              ["webhook-id", <code key="id">{value.id}</code>],
            ]}
          />
          <section>
            <h2>Attempts</h2>
            {value.attempts.length === 0 ? (
              <Empty>No attempts yet.</Empty>
            ) : (
              <Table label="Attempts" head={["Time", "Status", ["Duration", "number"], "Response"]}>
                {value.attempts.toReversed().map((attempt, index) => (
                  <tr key={index}>
                    <td>{localTime(attempt.at)}</td>
                    <td>{attempt.status ?? "no response"}</td>
                    <td class="number">{number(attempt.milliseconds, 0, "ms")}</td>
                    <td class="wide">
                      <code>{attempt.answer === "" ? "(empty body)" : attempt.answer}</code>
                    </td>
                  </tr>
                ))}
              </Table>
            )}
          </section>
          <section>
            <h2>Body</h2>
            <pre tabIndex={0} aria-label="Body of the event">
              {JSON.stringify({ type: value.type, timestamp: value.timestamp, data: value.data }, null, 2)}
            </pre>
          </section>
        </>
      )}
    </>
  );
}
