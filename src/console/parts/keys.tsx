import { useState } from "preact/hooks";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { localTime } from "../format.ts";
import { AddForm } from "./addForm.tsx";
import { Confirmed } from "./confirmed.tsx";
import { json } from "./endpoints.tsx";
import { Id } from "./id.tsx";
import { Table } from "./list.tsx";
import { Revealed } from "./revealed.tsx";
import { Select } from "./select.tsx";
import { When } from "./when.tsx";

type Key = PartnerWithUsage["keys"][number];

/** The partner's keys. `isLocked`: the operator has reserved changes for itself. */
export function Keys({
  api,
  keys,
  isLocked,
  onDone,
}: {
  api: Api;
  keys: readonly Key[];
  isLocked: boolean;
  onDone: () => Promise<void>;
}) {
  const [said, setSaid] = useState("");
  return (
    <section>
      <h2>Keys</h2>
      <Table
        label="Keys"
        head={["Label", "Key id", "Scope", "Created", "Expires", ...(isLocked ? [] : ["Delete"])]}
      >
        {keys.map((key) => (
          <tr key={key.key_id}>
            <td>{key.label ?? <span class="soft">no label</span>}</td>
            <td>
              <Id id={key.key_id} what="key id" />
            </td>
            <td>{key.scope}</td>
            <td>
              <When at={key.created_at} isStill />
            </td>
            <td>{key.expires_at === null ? "never" : localTime(key.expires_at)}</td>
            {!isLocked && (
              <td class="bare">
                <Confirmed
                  button="Delete…"
                  question="Delete this key?"
                  confirm="Delete the key"
                  keep="Keep it"
                  send={async () => {
                    const path = `/api/keys/${encodeURIComponent(key.key_id)}/`;
                    const result = await api.delete<{ in_force_at: string }>(path);
                    if (result.ok)
                      setSaid(
                        `Deleted ${key.label ?? key.key_id}. It stops working by ${localTime(result.value.in_force_at)}.`,
                      );
                    return result;
                  }}
                  onDone={onDone}
                />
              </td>
            )}
          </tr>
        ))}
      </Table>
      <p role="status">{said}</p>
      {!isLocked && <AddKey api={api} onDone={onDone} />}
    </section>
  );
}

interface MadeKey {
  auth_key: string;
  in_force_at: string;
}

/** A form for a new key, which reveals it once. */
function AddKey({ api, onDone }: { api: Api; onDone: () => Promise<void> }) {
  const [label, setLabel] = useState("");
  const [scope, setScope] = useState("full");
  const [end, setEnd] = useState("");
  const [made, setMade] = useState<MadeKey | null>(null);
  const send = async () => {
    const body = json({
      label: label.trim() === "" ? null : label.trim(),
      scope,
      expires_at: end === "" ? null : new Date(`${end}T00:00:00`).toISOString(),
    });
    return api.post<MadeKey>("/api/keys/", body);
  };
  return (
    <>
      {made !== null && (
        <>
          <Revealed secret={made.auth_key} what="key" onStored={() => setMade(null)} />
          <p class="soft">It works everywhere by {localTime(made.in_force_at)}.</p>
        </>
      )}
      <AddForm
        button="Create a key…"
        confirm="Create the key"
        send={send}
        onMade={(key) => {
          setMade(key);
          setLabel("");
        }}
        onDone={onDone}
      >
        <label class="field">
          Label
          <input
            value={label}
            autocomplete="off"
            placeholder="Where the key is used"
            onInput={(event) => setLabel(event.currentTarget.value)}
          />
        </label>
        <Select
          label="Scope"
          value={scope}
          options={[
            ["full", "full: reads and writes"],
            ["read", "read: read-only"],
          ]}
          onValue={setScope}
        />
        <label class="field">
          Expires on (optional)
          <input type="date" value={end} onChange={(event) => setEnd(event.currentTarget.value)} />
        </label>
      </AddForm>
    </>
  );
}
