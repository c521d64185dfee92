import type { ComponentChildren } from "preact";
import { FIRST_PING } from "../../docs/smallRide.ts";
import type { Event } from "../../deliveries/event.ts";
import type { Endpoint } from "../../endpoints/endpoint.ts";
import type { Overview } from "../../overview/overview.ts";
import type { Api, Page } from "../api.ts";
import { useLoad } from "../load.ts";
import { addressOf } from "../router.ts";
import { withQuery } from "../withQuery.ts";
import { hasPassed } from "./checked.ts";
import { CopyButton } from "./copy.tsx";

/** A partner with this many files is not new. */
const FILES_OF_A_NEWCOMER = 20;

/** Returns a command that pings a small file. The key is read from `PARTNER_KEY`, so that the shell history does not contain it. */
export function firstPing(origin: string, partnerId: string): string {
  return `# Set PARTNER_KEY to your key first. callback_url is a small FIT file in base64, or the URL of one.
curl -sS "${origin}/api/fit_partner_ping/" \\
  -H "Authorization: Bearer $PARTNER_KEY" \\
  -H "Partner-Id: ${partnerId}" \\
  -H "Content-Type: application/json" \\
  -d '${JSON.stringify(FIRST_PING)}'
`;
}

function filesOf({ usage, files }: Overview): number {
  return Math.max(
    usage.files,
    Object.values(files).reduce((sum, count) => sum + count, 0),
  );
}

export interface Newcomer {
  /** Whether a receiver has accepted a test event and rejected one with a wrong signature, as the check requires. */
  isTested: boolean;
}

/** Reads what the steps of a newcomer need. `isRead` is true at once for a partner that is not new. */
export function useNewcomer(
  api: Api,
  overview: Overview | null,
): { isRead: boolean; newcomer: Newcomer | null } {
  const isNew = overview !== null && filesOf(overview) < FILES_OF_A_NEWCOMER;
  const path = (type: string) =>
    isNew ? withQuery("/api/events/", { type, status: "delivered", limit: "50" }) : null;
  // The first list has both kinds of test events. One with a wrong signature is delivered when it was rejected.
  const tests = useLoad<Page<Event>>(api, path("test.ping"));
  const forged = useLoad<Page<Event>>(api, path("test.forged"));
  const rejected = new Set(forged.value?.data.map(({ id }) => id));
  const isTested = rejected.size > 0 && tests.value?.data.some(({ id }) => !rejected.has(id)) === true;
  return {
    isRead: !isNew || [tests, forged].every(({ value, problem }) => value !== null || problem !== null),
    newcomer: isNew ? { isTested } : null,
  };
}

/** The first steps of a newcomer, with those that are done. Nothing when all are. */
export function Checklist({
  api,
  overview,
  endpoints,
  isLocked,
  newcomer: { isTested },
}: {
  api: Api;
  overview: Overview;
  endpoints: readonly Endpoint[];
  isLocked: boolean;
  newcomer: Newcomer;
}) {
  const files = filesOf(overview);
  const steps = [files > 0, overview.events.delivered > 0, isTested || hasPassed(api.partnerId)] as const;
  if (steps.every(Boolean)) return null;
  return (
    <section>
      <h2>First steps</h2>
      <ol class="checklist">
        <Step isDone name="Your key works">
          You are signed in with it.
        </Step>
        <Step isDone={steps[0]} name="Send a first ping">
          {steps[0] ? (
            "A file has been received."
          ) : (
            <>
              <pre tabIndex={0} aria-label="Command of a first ping">
                {firstPing(location.origin, api.partnerId)}
              </pre>
              <CopyButton text={firstPing(location.origin, api.partnerId)} what="command" isNamed />
            </>
          )}
        </Step>
        <Step isDone={steps[1]} name="Receive an event">
          {steps[1] ? (
            "Your receiver has accepted an event."
          ) : endpoints.length === 0 ? (
            isLocked ? (
              "Ask us for an endpoint."
            ) : (
              <>
                Add an endpoint in the <a href={addressOf(["settings"])}>settings</a>.
              </>
            )
          ) : (
            <>
              Send a test event from the list of <a href={addressOf(["events"])}>events</a>.
            </>
          )}
        </Step>
        <Step isDone={steps[2]} name="Pass the check">
          {steps[2] ? (
            isTested ? (
              "Your receiver accepts signed events and rejects a wrong signature."
            ) : (
              "No step failed."
            )
          ) : (
            <>
              Run <a href={addressOf(["check"])}>Check my integration</a>.
            </>
          )}
        </Step>
      </ol>
    </section>
  );
}

function Step({ isDone, name, children }: { isDone: boolean; name: string; children: ComponentChildren }) {
  return (
    <li>
      <span class={`status ${isDone ? "good" : "wait"}`}>
        {name}
        <span class="unseen">{isDone ? " (done)" : " (not done)"}</span>
      </span>
      <div class="soft">{children}</div>
    </li>
  );
}
