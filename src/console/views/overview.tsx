import type { Import } from "../../imports/import.ts";
import type { Overview } from "../../overview/overview.ts";
import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { PartnerSettings } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { age, bytes, counted, number } from "../format.ts";
import { useList, useLoad } from "../load.ts";
import { Empty, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { addressOf } from "../router.ts";
import { Progress } from "../parts/progress.tsx";
import { Sentence } from "../parts/sentence.tsx";

const EVERY_MS = 10_000;
const RUNNING_EVERY_MS = 2_000;
const STATUSES = ["imported", "queued", "held", "failed"] as const;

export function OverviewView({ api }: { api: Api }) {
  const { value, problem } = useLoad<Overview>(api, "/api/overview/", EVERY_MS);
  const partner = useLoad<PartnerSettings>(api, "/api/partner/");
  return (
    <>
      <Heading title="Overview">
        {value === null ? null : <span class="soft">Last {value.days.length} days, in UTC</span>}
      </Heading>
      <ProblemBox problem={problem ?? partner.problem} />
      {value === null ? (
        problem === null && <Loading />
      ) : (
        <>
          {value.capped && (
            <p class="note">
              You have more files, imports or events than this page counts. The numbers cover the newest ones
              only.
            </p>
          )}
          <Figures
            overview={value}
            hasEventUrl={partner.value === null || partner.value.event_url !== null}
          />
          {partner.value !== null && <Stored usage={value.usage} quotas={partner.value.quotas} />}
          <section>
            <h2>Files by day</h2>
            <Days overview={value} />
          </section>
          <div class="columns">
            <section>
              <h2>Running imports</h2>
              <Running api={api} running={value.imports.running} />
            </section>
            <section>
              <h2>Failures by code</h2>
              <Failures overview={value} />
            </section>
          </div>
        </>
      )}
    </>
  );
}

function noun(files: number): string {
  return files === 1 ? "file" : "files";
}

/** `hasEventUrl`: whether events are sent to the partner. */
function Figures({ overview, hasEventUrl }: { overview: Overview; hasEventUrl: boolean }) {
  const days = overview.days.length;
  const oldest = overview.held.oldest_received_at;
  const { events, files } = overview;
  const undelivered = events.failed + events.retrying;
  const figures = [
    [
      "Imported",
      files.imported,
      `${noun(files.imported)} ready to read`,
      ["files"],
      { status: "imported" },
      "",
    ],
    ["Queued", files.queued, `${noun(files.queued)} waiting for import`, ["files"], { status: "queued" }, ""],
    [
      "Held",
      overview.held.files,
      oldest !== null
        ? `oldest held for ${age(oldest)}`
        : overview.capped
          ? "none of the counted files"
          : "no files wait for a task",
      ["files"],
      { status: "held" },
      "",
    ],
    [
      "Failed",
      files.failed,
      files.failed === 0 ? `none in the last ${days} days` : `${noun(files.failed)} to check`,
      ["files"],
      { status: "failed" },
      files.failed === 0 ? "" : "bad",
    ],
    [
      hasEventUrl ? "Failing deliveries" : "Events not sent",
      undelivered,
      hasEventUrl
        ? `${number(events.retrying)} retrying, ${number(events.failed)} failed`
        : "no event_url is configured; read events here",
      ["events"],
      { status: events.failed > 0 || events.retrying === 0 ? "failed" : "pending" },
      hasEventUrl && undelivered > 0 ? "bad" : "",
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

/** Stored files and bytes of the partner, with its quotas. */
function Stored({ usage, quotas }: { usage: Overview["usage"]; quotas: PartnerSettings["quotas"] }) {
  const files =
    quotas.files === null
      ? counted(usage.files, "file")
      : `${number(usage.files)} of ${counted(quotas.files, "file")}`;
  const stored = quotas.stored_bytes === null ? "" : ` of ${bytes(quotas.stored_bytes)}`;
  return (
    <p class="soft">
      Stored in total: {files}, {bytes(usage.stored_bytes)}
      {stored}.
    </p>
  );
}

const HEIGHT = 100;

/** A column per day, stacked by status, and the same numbers as a table for screen readers. */
function Days({ overview }: { overview: Overview }) {
  const most = Math.max(
    1,
    ...overview.days.map((day) => STATUSES.reduce((sum, status) => sum + day[status], 0)),
  );
  if (overview.days.every((day) => STATUSES.every((status) => day[status] === 0))) {
    return (
      <Empty>
        No files were received in the last {overview.days.length} days. Follow the{" "}
        <a href="/docs/#first-ping">guide</a> to send a first ping in five minutes.
      </Empty>
    );
  }
  return (
    <>
      <ul class="legend" aria-hidden="true">
        {STATUSES.map((status) => (
          <li key={status}>
            <span class={`swatch ${status}`} />
            {status}
          </li>
        ))}
        <li class="soft">busiest day: {counted(most, "file")}</li>
      </ul>
      <ol class="days" aria-hidden="true">
        {overview.days.map((day) => {
          let top = HEIGHT;
          return (
            <li key={day.day}>
              <svg viewBox={`0 0 10 ${HEIGHT}`} preserveAspectRatio="none">
                <rect class="track" width={10} height={HEIGHT} />
                {STATUSES.map((status) => {
                  const height = (day[status] / most) * HEIGHT;
                  top -= height;
                  return (
                    <rect key={status} class={status} y={top} width={10} height={height}>
                      <title>{`${day.day}: ${day[status]} ${status}`}</title>
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
            {overview.days.map((day) => (
              <tr key={day.day}>
                <th scope="row">{day.day}</th>
                {STATUSES.map((status) => (
                  <td key={status}>{`${day[status]} ${status}`}</td>
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
  if (list.rows.length === 0 && list.loadMore === null) return <Empty>No imports are running.</Empty>;
  return (
    <>
      <ul class="plainlist">
        {list.rows.map((row) => (
          <li key={row.import_id}>
            <a href={addressOf(["imports", row.import_id])}>
              {row.user_id} · {row.source}
            </a>
            <Progress progressOf={row} />
          </li>
        ))}
      </ul>
      {list.loadMore !== null && (
        <p>
          <a href={addressOf(["imports"], { status: "running" })}>
            All {running > list.rows.length ? `${number(running)} ` : ""}running imports
          </a>
        </p>
      )}
    </>
  );
}

function Failures({ overview }: { overview: Overview }) {
  if (overview.failures.length === 0)
    return <Empty>No files failed in the last {overview.days.length} days.</Empty>;
  return (
    <ul class="plainlist">
      {overview.failures.map(({ code, files }) => (
        <li key={code} class="failure">
          <strong>{number(files)}</strong>
          <span>
            <code>{code}</code>
            <br />
            <span class="soft">
              <Sentence text={FILE_ERRORS[code]} />
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}
