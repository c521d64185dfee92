import { useState } from "preact/hooks";
import { DAY_MS } from "../../contract/limits.ts";
import type { Endpoint, EventType } from "../../endpoints/endpoint.ts";
import { IMPORT_COMPLETED } from "../../endpoints/eventTypes.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { UsageDay } from "../../usage/days.ts";
import type { Api } from "../api.ts";
import { dayOf } from "../days.ts";
import { bytes, counted, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { AddForm } from "../parts/addForm.tsx";
import { EndpointRows, json } from "../parts/endpoints.tsx";
import { EventTypes } from "../parts/eventTypes.tsx";
import { Id } from "../parts/id.tsx";
import { Keys } from "../parts/keys.tsx";
import { Empty, Facts, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { PartnerSettingsForm } from "../parts/partnerSettings.tsx";
import { withQuery } from "../withQuery.ts";
import { Revealed } from "../parts/revealed.tsx";
import { LONGEST_SPAN, Usage, type UsageDays } from "../parts/usage.tsx";

const EVERY_MS = 5_000;

/** Returns the first day (UTC) whose usage is shown. */
function firstDay(): string {
  return dayOf(new Date(Date.now() - (LONGEST_SPAN - 1) * DAY_MS));
}

export function SettingsView({ api }: { api: Api }) {
  const partner = useLoad<PartnerWithUsage>(api, "/api/partner/");
  const endpoints = useLoad<{ data: Endpoint[] }>(api, "/api/endpoints/", EVERY_MS);
  const [from] = useState(firstDay);
  const usage = useLoad<UsageDays>(api, withQuery("/api/usage/", { from }));
  // All parts are shown at once, so that none moves another.
  const isRead = [partner, endpoints, usage].every(
    ({ value, problem }) => value !== null || problem !== null,
  );
  if (!isRead) {
    return (
      <>
        <Heading title="Settings" />
        <Loading />
      </>
    );
  }
  return (
    <>
      <Heading title="Settings" />
      {partner.value?.self_service_locked === true && <Locked />}
      <section>
        <h2>Endpoints</h2>
        <ProblemBox problem={endpoints.problem} onRetry={endpoints.reload} />
        {endpoints.value === null ? (
          endpoints.problem === null && <Loading />
        ) : (
          <>
            {endpoints.value.data.length === 0 && (
              <Empty>No endpoint receives your events. You can read them in the list of events.</Empty>
            )}
            <EndpointRows
              api={api}
              endpoints={endpoints.value.data}
              isLocked={partner.value?.self_service_locked !== false}
              onSent={endpoints.reload}
            />
          </>
        )}
        {partner.value?.self_service_locked === false && <AddEndpoint api={api} onDone={endpoints.reload} />}
      </section>
      <ProblemBox problem={partner.problem} onRetry={partner.reload} />
      {partner.value === null ? (
        partner.problem === null && <Loading />
      ) : (
        <Own api={api} partner={partner.value} days={usage.value?.data ?? []} onDone={partner.reload} />
      )}
      <ProblemBox problem={usage.problem} onRetry={usage.reload} />
    </>
  );
}

/** Why nothing can be changed. */
export function Locked() {
  return (
    <p class="note">
      An operator has locked your keys, endpoints and settings. Ask us to make a change, or to unlock them.
    </p>
  );
}

/** A form for a new endpoint, which reveals its secret once. */
function AddEndpoint({ api, onDone }: { api: Api; onDone: () => Promise<void> }) {
  const [url, setUrl] = useState("https://");
  const [types, setTypes] = useState<EventType[]>([IMPORT_COMPLETED]);
  const [secret, setSecret] = useState<string | null>(null);
  return (
    <>
      {secret !== null && <Revealed secret={secret} what="secret" onStored={() => setSecret(null)} />}
      <AddForm
        button="Add an endpoint…"
        confirm="Add the endpoint"
        send={async () =>
          api.post<{ webhook_secret: string }>("/api/endpoints/", json({ url, event_types: types }))
        }
        onMade={({ webhook_secret }) => {
          setSecret(webhook_secret);
          setUrl("https://");
        }}
        onDone={onDone}
      >
        <label class="field">
          URL of your receiver
          <input
            value={url}
            type="url"
            required
            autocomplete="off"
            onInput={(event) => setUrl(event.currentTarget.value)}
          />
        </label>
        <EventTypes chosen={types} onChosen={setTypes} />
        <p class="soft">
          The service sends a challenge at once. The endpoint receives events after your receiver has returned
          it.
        </p>
      </AddForm>
    </>
  );
}

/** Keys, limits and settings of the partner. After an operator's lock, the reason is in place of the buttons. */
function Own({
  api,
  partner,
  days,
  onDone,
}: {
  api: Api;
  partner: PartnerWithUsage;
  days: readonly UsageDay[];
  onDone: () => Promise<void>;
}) {
  const { limits, quotas, usage, self_service_locked: isLocked } = partner;
  const rejected = days.at(-1)?.requests.status_429;
  const most = (used: string, quota: string | null) =>
    quota === null ? `${used}, no quota` : `${used} of ${quota}`;
  const aMinute = (policy: "read" | "intake" | "files", limit: number | null) => {
    if (limit === null) return "no limit";
    const used = api.usedOf(policy, limit);
    return used === null ? number(limit) : `${number(used)} of ${number(limit)} used`;
  };
  return (
    <>
      <Keys api={api} keys={partner.keys} isLocked={isLocked} onDone={onDone} />
      <section>
        <h2>Limits and quotas</h2>
        <Facts
          facts={[
            ["Reads per minute", aMinute("read", limits.requests_per_minute)],
            ["Other requests per minute", aMinute("intake", limits.requests_per_minute)],
            ["Files per minute", aMinute("files", limits.files_per_minute)],
            ["Files", most(number(usage.files), quotas.files === null ? null : number(quotas.files))],
            [
              "Stored bytes",
              most(
                bytes(usage.stored_bytes),
                quotas.stored_bytes === null ? null : bytes(quotas.stored_bytes),
              ),
            ],
            ["Partner id", <Id key="id" id={partner.partner_id} what="partner id" />],
          ]}
        />
        {limits.requests_per_minute !== null && (
          <p class="soft">
            “Used” counts the last minute, in the server that responds to this page. Your requests may reach
            others: the <code>RateLimit</code> header of each response says what is left.
            {rejected !== undefined &&
              ` ${counted(rejected, "request")} of today ${rejected === 1 ? "was" : "were"} rejected over a limit.`}
          </p>
        )}
      </section>
      {days.length > 0 && <Usage days={days} />}
      <section>
        <h2>Files</h2>
        {isLocked ? (
          <Facts
            facts={[
              [
                "Hosts of file URLs",
                <Names key="hosts" names={partner.callback_hosts} none="all public hosts" />,
              ],
              ["Order of sources", <Names key="order" names={partner.source_order} none="no order" />],
              [
                "Held files",
                partner.prefetch_held ? "downloaded before the task" : "downloaded after the task",
              ],
            ]}
          />
        ) : (
          <PartnerSettingsForm api={api} partner={partner} onDone={onDone} />
        )}
      </section>
    </>
  );
}

function Names({ names, none }: { names: readonly string[]; none: string }) {
  if (names.length === 0) return <>{none}</>;
  return (
    <ul class="ids">
      {names.map((name) => (
        <li key={name}>
          <code class="unbroken">{name}</code>
        </li>
      ))}
    </ul>
  );
}
