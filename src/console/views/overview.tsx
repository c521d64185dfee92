import type { Endpoint } from "../../endpoints/endpoint.ts";
import type { Import } from "../../imports/import.ts";
import type { Overview } from "../../overview/overview.ts";
import { FILE_ERRORS } from "../../docs/fileWords.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import type { Api } from "../api.ts";
import { age, bytes, counted, NONE, number } from "../format.ts";
import { useList, useLoad, type LoadedList } from "../load.ts";
import { Checklist, useNewcomer } from "../parts/checklist.tsx";
import { DayChart, type Series } from "../parts/dayChart.tsx";
import { lasting } from "../parts/lasting.ts";
import { needsOf, type Need } from "../parts/needs.ts";
import { Empty, Heading, Loading, ProblemBox } from "../parts/page.tsx";
import { addressOf } from "../router.ts";
import { Progress } from "../parts/progress.tsx";
import { Sentence } from "../parts/sentence.tsx";

const EVERY_MS = 10_000;
const RUNNING_EVERY_MS = 2_000;

export function OverviewView({ api }: { api: Api }) {
  const overview = useLoad<Overview>(api, "/api/overview/", EVERY_MS);
  const partner = useLoad<PartnerWithUsage>(api, "/api/partner/");
  const endpoints = useLoad<{ data: Endpoint[] }>(api, "/api/endpoints/", EVERY_MS);
  const running = useList<Import>(api, "/api/imports/?status=running&limit=10", RUNNING_EVERY_MS);
  const { value, problem } = overview;
  const { isRead: isNewcomerRead, newcomer } = useNewcomer(api, value);
  // All parts are shown at once, so that none moves another.
  const isRead =
    value !== null &&
    (partner.value !== null || partner.problem !== null) &&
    (endpoints.value !== null || endpoints.problem !== null) &&
    (running.rows !== null || running.problem !== null) &&
    isNewcomerRead;
  const receivers = endpoints.value?.data ?? [];
  return (
    <>
      <Heading title="Overview">
        {value === null ? null : <span class="soft">Last {value.days.length} days, in UTC</span>}
      </Heading>
      <ProblemBox
        problem={problem ?? partner.problem ?? endpoints.problem}
        onRetry={async () => {
          await Promise.all([overview.reload(), partner.reload(), endpoints.reload()]);
        }}
      />
      {!isRead ? (
        problem === null && <Loading />
      ) : (
        <>
          {value.capped && (
            <p class="note">
              You have more files, imports or events than this page counts. The numbers cover the newest ones
              only.
            </p>
          )}
          <Needs
            needs={needsOf({
              overview: value,
              partner: partner.value,
              endpoints: receivers,
              running: running.rows ?? [],
            })}
          />
          {newcomer !== null && (
            <Checklist
              api={api}
              overview={value}
              endpoints={receivers}
              isLocked={partner.value?.self_service_locked === true}
              newcomer={newcomer}
            />
          )}
          <Figures overview={value} hasEndpoint={endpoints.value === null || receivers.length > 0} />
          {partner.value !== null && <Stored usage={value.usage} quotas={partner.value.quotas} />}
          <section>
            <h2>Files by day</h2>
            <Days overview={value} />
          </section>
          <div class="columns">
            <section>
              <h2>Running imports</h2>
              <Running list={running} running={value.imports.running} />
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

/** What the partner has to look at. */
function Needs({ needs }: { needs: readonly Need[] }) {
  if (needs.length === 0) return <p class="needs status good">Nothing needs you</p>;
  return (
    <section class="needs">
      <h2 class="status bad">
        {needs.length === 1 ? "1 thing needs you" : `${needs.length} things need you`}
      </h2>
      <ul class="plainlist">
        {needs.map(({ words, href }) => (
          <li key={`${href} ${words}`}>
            <a href={href}>{words}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

function noun(files: number): string {
  return files === 1 ? "file" : "files";
}

/** `hasEndpoint`: whether events are sent to the partner. */
function Figures({ overview, hasEndpoint }: { overview: Overview; hasEndpoint: boolean }) {
  const days = overview.days.length;
  const oldest = overview.held.oldest_received_at;
  const { events, files } = overview;
  // Nothing can be delivered to a deleted endpoint.
  const failed = hasEndpoint ? events.failed - events.without_endpoint : events.failed;
  const undelivered = failed + events.retrying;
  const attempted = events.delivered + undelivered;
  const { files: rides, median_in_seconds: median } = overview.time_to_readable;
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
          ? "none among the newest files"
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
      hasEndpoint ? "Failing deliveries" : "Events not sent",
      undelivered,
      hasEndpoint
        ? `${number(events.retrying)} retrying, ${number(failed)} failed`
        : "No endpoint. Read them here.",
      ["events"],
      { status: failed > 0 || events.retrying === 0 ? "failed" : "pending" },
      hasEndpoint && undelivered > 0 ? "bad" : "",
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
      <li>
        <div class="figure">
          <span class="soft">Ping to readable</span>
          <strong>{median === null ? NONE : lasting(median * 1_000)}</strong>
          <span class="soft">
            {median === null ? "no live rides yet" : `median of ${counted(rides, "live ride")}`}
          </span>
        </div>
      </li>
      {hasEndpoint && (
        <li>
          <div class="figure">
            <span class="soft">Events delivered</span>
            <strong>
              {attempted === 0 ? NONE : number(Math.floor((events.delivered / attempted) * 100), 0, "%")}
            </strong>
            <span class="soft">
              {attempted === 0 ? "no events yet" : `${number(events.delivered)} of ${number(attempted)}`}
            </span>
          </div>
        </li>
      )}
    </ul>
  );
}

/** Stored files and bytes of the partner, with its quotas. */
function Stored({ usage, quotas }: { usage: Overview["usage"]; quotas: PartnerWithUsage["quotas"] }) {
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

type Day = Overview["days"][number];

const STATUSES: readonly Series<Day>[] = (["imported", "queued", "held", "failed", "skipped"] as const).map(
  (status) => ({ name: status, tone: status, of: (day) => day[status] }),
);

function Days({ overview: { days } }: { overview: Overview }) {
  if (days.some((day) => STATUSES.some(({ of }) => of(day) > 0))) {
    return (
      <DayChart
        days={days}
        series={STATUSES}
        none="no files"
        hrefOf={({ day }) => addressOf(["files"], { from: day, to: day })}
      />
    );
  }
  return (
    <Empty>
      No files were received in the last {days.length} days. Follow the <a href="/docs/#first-ping">guide</a>{" "}
      to send a first ping in five minutes.
    </Empty>
  );
}

function Running({ list, running }: { list: LoadedList<Import>; running: number }) {
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
            <a
              href={addressOf(["files"], {
                status: "failed",
                error_code: code,
                from: overview.since.slice(0, 10),
              })}
            >
              <code class="unbroken">{code}</code>
            </a>
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
