import type { Import } from "../../imports/import.ts";
import type { Overview } from "../../overview/overview.ts";
import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { PartnerSettings } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { age, bytes, number } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { Empty, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { addressOf } from "../router.ts";
import { Progress } from "../parts/progress.tsx";
import { Sentence } from "../parts/sentence.tsx";

const EVERY_MS = 10_000;
const RUNNING_EVERY_MS = 2_000;
const KINDS = ["imported", "queued", "held", "failed"] as const;

export function OverviewView({ api }: { api: Api }) {
  const { value, problem } = useLoad<Overview>(api, "/api/overview/", EVERY_MS);
  const partner = useLoad<PartnerSettings>(api, "/api/partner/");
  return (
    <>
      <Heading title="Overview">
        <span class="soft">The last 14 days, UTC</span>
      </Heading>
      <ProblemBox problem={problem ?? partner.problem} />
      {value === null ? (
        problem === null && <Loading />
      ) : (
        <>
          {value.capped && (
            <p class="note">
              You have more files, imports or events than one look counts. Only the newest are counted here.
            </p>
          )}
          <Figures of={value} receives={partner.value === null || partner.value.event_url !== null} />
          {partner.value !== null && <Kept usage={value.usage} quotas={partner.value.quotas} />}
          <section>
            <h2>Files by day</h2>
            <Days of={value} />
          </section>
          <div class="columns">
            <section>
              <h2>Imports running</h2>
              <Running api={api} running={value.imports.running} />
            </section>
            <section>
              <h2>Failures by code</h2>
              <Failures of={value} />
            </section>
          </div>
        </>
      )}
    </>
  );
}

/** `receives`: whether the partner has an address that events are sent to. */
function Figures({ of, receives }: { of: Overview; receives: boolean }) {
  const oldest = of.held.oldest_received_at;
  const { events } = of;
  const unsent = events.failed + events.retrying;
  const figures = [
    ["Imported", of.files.imported, "files readable", ["files"], { status: "imported" }, ""],
    ["On their way", of.files.queued, "files queued", ["files"], { status: "queued" }, ""],
    [
      "Held",
      of.held.files,
      oldest !== null
        ? `oldest for ${age(oldest)}`
        : of.capped
          ? "none of those counted"
          : "nothing waits for a task",
      ["files"],
      { status: "held" },
      "",
    ],
    [
      "Failed",
      of.files.failed,
      of.files.failed === 0 ? "none in these 14 days" : "files to look at",
      ["files"],
      { status: "failed" },
      of.files.failed === 0 ? "" : "bad",
    ],
    [
      receives ? "Deliveries failing" : "Events not sent",
      unsent,
      receives
        ? `${number(events.retrying)} still tried, ${number(events.failed)} given up`
        : "you have no event_url: read them here",
      ["events"],
      { status: events.failed > 0 || events.retrying === 0 ? "failed" : "pending" },
      receives && unsent > 0 ? "bad" : "",
    ],
  ] as const;
  return (
    <ul class="figures">
      {figures.map(([title, count, note, parts, query, tone]) => (
        <li key={title}>
          <a href={addressOf(parts, query)} class={tone}>
            <span class="soft">{title}</span>
            <strong>{number(count)}</strong>
            <span class="soft">{note}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** What is kept of the partner's files, beside its quotas. */
function Kept({ usage, quotas }: { usage: Overview["usage"]; quotas: PartnerSettings["quotas"] }) {
  const files = quotas.files === null ? "" : ` of ${number(quotas.files)}`;
  const stored = quotas.stored_bytes === null ? "" : ` of ${bytes(quotas.stored_bytes)}`;
  return (
    <p class="soft">
      Kept of all days: {number(usage.files)}
      {files} files, {bytes(usage.stored_bytes)}
      {stored}.
    </p>
  );
}

const HEIGHT = 100;

/** A column a day, stacked by status; the same numbers as a table for those who listen. */
function Days({ of }: { of: Overview }) {
  const most = Math.max(1, ...of.days.map((day) => KINDS.reduce((sum, kind) => sum + day[kind], 0)));
  if (of.days.every((day) => KINDS.every((kind) => day[kind] === 0))) {
    return (
      <Empty>
        No file came in these days. The <a href="/docs/#first-ping">guide</a> sends a first one in five
        minutes.
      </Empty>
    );
  }
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {KINDS.map((kind) => (
          <li key={kind}>
            <span class={`swatch ${kind}`} />
            {kind}
          </li>
        ))}
        <li class="soft">highest day: {number(most)}</li>
      </ul>
      <ol class="days" aria-hidden="true">
        {of.days.map((day) => {
          let top = HEIGHT;
          return (
            <li key={day.day}>
              <svg viewBox={`0 0 10 ${HEIGHT}`} preserveAspectRatio="none">
                <rect class="track" width={10} height={HEIGHT} />
                {KINDS.map((kind) => {
                  const height = (day[kind] / most) * HEIGHT;
                  top -= height;
                  return (
                    <rect key={kind} class={kind} y={top} width={10} height={height}>
                      <title>{`${day.day}: ${day[kind]} ${kind}`}</title>
                    </rect>
                  );
                })}
              </svg>
              {day.day.slice(8)}
            </li>
          );
        })}
      </ol>
      <div class="unseen">
        <table>
          <caption>Files by day and status</caption>
          <tbody>
            {of.days.map((day) => (
              <tr key={day.day}>
                <th scope="row">{day.day}</th>
                {KINDS.map((kind) => (
                  <td key={kind}>{`${day[kind]} ${kind}`}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Running({ api, running }: { api: Api; running: number }) {
  const list = useList<Import>(api, "/api/imports/?status=running&limit=10", RUNNING_EVERY_MS);
  if (list.problem !== null) return <ProblemBox problem={list.problem} />;
  if (list.rows === null) return <Loading />;
  if (list.rows.length === 0 && list.more === null) return <Empty>No import is running.</Empty>;
  return (
    <>
      <ul class="plainlist">
        {list.rows.map((row) => (
          <li key={row.import_id}>
            <a href={addressOf(["imports", row.import_id])}>
              {row.user_id} · {row.source}
            </a>
            <Progress of={row} />
          </li>
        ))}
      </ul>
      {list.more !== null && (
        <p>
          <a href={addressOf(["imports"], { status: "running" })}>
            All {running > list.rows.length ? number(running) : ""} that are running
          </a>
        </p>
      )}
    </>
  );
}

function Failures({ of }: { of: Overview }) {
  if (of.failures.length === 0) return <Empty>No file has failed in these 14 days.</Empty>;
  return (
    <ul class="plainlist">
      {of.failures.map(({ code, files }) => (
        <li key={code} class="failure">
          <strong>{number(files)}</strong>
          <span>
            <code>{code}</code>
            <br />
            <span class="soft">
              <Sentence of={FILE_ERRORS[code]} />
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}
