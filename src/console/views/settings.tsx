import { useState } from "preact/hooks";
import { IMPORT_COMPLETED, type Endpoint, type EventType } from "../../endpoints/endpoint.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api, Problem } from "../api.ts";
import { bytes, localTime, number } from "../format.ts";
import { useLoad } from "../load.ts";
import { EndpointRows, json } from "../parts/endpoints.tsx";
import { EventTypes } from "../parts/eventTypes.tsx";
import { Id } from "../parts/id.tsx";
import { Table } from "../parts/list.tsx";
import { Empty, Facts, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { Revealed } from "../parts/revealed.tsx";
import { When } from "../parts/when.tsx";

const EVERY_MS = 5_000;

export function SettingsView({ api }: { api: Api }) {
  const partner = useLoad<PartnerWithUsage>(api, "/api/partner/");
  const endpoints = useLoad<{ data: Endpoint[] }>(api, "/api/endpoints/", EVERY_MS);
  return (
    <>
      <Heading title="Settings" />
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
            <EndpointRows api={api} endpoints={endpoints.value.data} onSent={endpoints.reload} />
          </>
        )}
        <AddEndpoint api={api} onDone={endpoints.reload} />
      </section>
      <ProblemBox problem={partner.problem} onRetry={partner.reload} />
      {partner.value === null ? partner.problem === null && <Loading /> : <Own partner={partner.value} />}
    </>
  );
}

/** A form for a new endpoint, which reveals its secret once. */
function AddEndpoint({ api, onDone }: { api: Api; onDone: () => Promise<void> }) {
  const [isOpen, setOpen] = useState(false);
  const [url, setUrl] = useState("https://");
  const [types, setTypes] = useState<EventType[]>([IMPORT_COMPLETED]);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const add = async () => {
    setBusy(true);
    const body = json({ url, event_types: types });
    const result = await api.post<{ webhook_secret: string }>("/api/endpoints/", body);
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      setSecret(result.value.webhook_secret);
      setOpen(false);
      setUrl("https://");
    }
    await onDone();
    setBusy(false);
  };
  return (
    <>
      {secret !== null && <Revealed secret={secret} what="secret" onStored={() => setSecret(null)} />}
      {!isOpen ? (
        <button type="button" onClick={() => setOpen(true)}>
          Add an endpoint…
        </button>
      ) : (
        <form
          class="add"
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
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
            The service sends a challenge at once. The endpoint receives events after your receiver has
            returned it.
          </p>
          <div class="action">
            <button type="submit" class="primary" disabled={isBusy}>
              Add the endpoint
            </button>
            <button type="button" disabled={isBusy} onClick={() => setOpen(false)}>
              Cancel
            </button>
          </div>
          <ProblemBox problem={problem} />
        </form>
      )}
    </>
  );
}

/** What the operator has configured for the partner. */
function Own({ partner }: { partner: PartnerWithUsage }) {
  const { limits, quotas, usage, callback_hosts: hosts, source_order: order } = partner;
  const most = (used: string, quota: string | null) =>
    quota === null ? `${used}, no quota` : `${used} of ${quota}`;
  return (
    <>
      <section>
        <h2>Keys</h2>
        <Table label="Keys" head={["Key id", "Created", "Valid until"]}>
          {partner.keys.map(({ key_id, created_at, expires_at }) => (
            <tr key={key_id}>
              <td>
                <Id id={key_id} what="key id" />
              </td>
              <td>
                <When at={created_at} isStill />
              </td>
              <td>{expires_at === null ? "no end" : localTime(expires_at)}</td>
            </tr>
          ))}
        </Table>
      </section>
      <section>
        <h2>Limits and quotas</h2>
        <Facts
          facts={[
            [
              "Requests per minute",
              limits.requests_per_minute === null ? "no limit" : number(limits.requests_per_minute),
            ],
            [
              "Files per minute",
              limits.files_per_minute === null ? "no limit" : number(limits.files_per_minute),
            ],
            ["Files", most(number(usage.files), quotas.files === null ? null : number(quotas.files))],
            [
              "Stored bytes",
              most(
                bytes(usage.stored_bytes),
                quotas.stored_bytes === null ? null : bytes(quotas.stored_bytes),
              ),
            ],
          ]}
        />
      </section>
      <section>
        <h2>Files</h2>
        <Facts
          facts={[
            ["Hosts of file URLs", <Names key="hosts" names={hosts} none="all public hosts" />],
            ["Order of sources", <Names key="order" names={order} none="as received" />],
            [
              "Held files",
              partner.prefetch_held ? "downloaded before the task" : "downloaded after the task",
            ],
            ["Partner id", <Id key="id" id={partner.partner_id} what="partner id" />],
          ]}
        />
        <p class="soft">Your operator changes these settings and your keys.</p>
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
