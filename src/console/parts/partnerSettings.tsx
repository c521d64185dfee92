import { useState } from "preact/hooks";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api, Problem } from "../api.ts";
import { localTime } from "../format.ts";
import { ProblemBox } from "./page.tsx";

/** Returns the names of a text with one name on each line. */
function namesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** The settings of its files that a partner changes itself. */
export function PartnerSettingsForm({
  api,
  partner,
  onDone,
}: {
  api: Api;
  partner: PartnerWithUsage;
  onDone: () => Promise<void>;
}) {
  const [hosts, setHosts] = useState<string | null>(null);
  const [order, setOrder] = useState<string | null>(null);
  const [prefetch, setPrefetch] = useState<boolean | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const isChanged = hosts !== null || order !== null || prefetch !== null;
  const save = async () => {
    setBusy(true);
    const result = await api.patch<{ in_force_at: string }>("/api/partner/", {
      ...(hosts === null ? {} : { callback_hosts: namesOf(hosts) }),
      ...(order === null ? {} : { source_order: namesOf(order) }),
      ...(prefetch === null ? {} : { prefetch_held: prefetch }),
    });
    setProblem(result.ok ? null : result.problem);
    if (result.ok) {
      await onDone();
      setHosts(null);
      setOrder(null);
      setPrefetch(null);
      setSaid(`Saved. In force by ${localTime(result.value.in_force_at)}.`);
    }
    setBusy(false);
  };
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label class="field">
        Hosts of file URLs, one on each line. Empty: all public hosts.
        <textarea
          rows={3}
          value={hosts ?? partner.callback_hosts.join("\n")}
          onInput={(event) => setHosts(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        Sources in the order in which you prefer their recordings, one on each line
        <textarea
          rows={3}
          value={order ?? partner.source_order.join("\n")}
          onInput={(event) => setOrder(event.currentTarget.value)}
        />
      </label>
      <label class="flag">
        <input
          type="checkbox"
          checked={prefetch ?? partner.prefetch_held}
          onChange={(event) => setPrefetch(event.currentTarget.checked)}
        />{" "}
        Download held files soon after their ping, before the task
      </label>
      <div class="action">
        <button type="submit" disabled={isBusy || !isChanged}>
          Save
        </button>
        <span role="status">{isChanged ? "" : said}</span>
      </div>
      <ProblemBox problem={problem} />
    </form>
  );
}
