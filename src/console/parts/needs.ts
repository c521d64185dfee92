import { DAY_MS } from "../../contract/limits.ts";
import type { Endpoint } from "../../endpoints/endpoint.ts";
import type { Import } from "../../imports/import.ts";
import type { Overview } from "../../overview/overview.ts";
import type { PartnerWithUsage } from "../../partners/settings.ts";
import { age, bytes, counted, localTime, number } from "../format.ts";
import { addressOf } from "../router.ts";

/** A key that ends within this time is named. */
const KEY_WARNED_MS = 14 * DAY_MS;
/** A running import without a change for this time is named. */
const STUCK_MS = 30 * 60_000;
/** Share of a quota from which it is named. */
const QUOTA_NEAR = 0.8;

/** Something that the partner has to look at. */
export interface Need {
  words: string;
  href: string;
}

/** Returns what the partner has to look at, the most urgent first. What could not be read is left out. */
export function needsOf({
  overview,
  partner,
  endpoints,
  running,
}: {
  overview: Overview;
  partner: PartnerWithUsage | null;
  endpoints: readonly Endpoint[];
  running: readonly Import[];
}): Need[] {
  return [
    ...endpointNeeds(overview, endpoints),
    ...importNeeds(overview, running),
    ...(partner === null ? [] : [...keyNeeds(partner), ...quotaNeeds(partner)]),
  ];
}

function endpointNeeds({ events }: Overview, endpoints: readonly Endpoint[]): Need[] {
  const needs = endpoints
    .filter(({ state }) => state !== "active")
    .map((endpoint) => ({
      words: wordsOf(endpoint),
      href: addressOf(["settings", endpoint.endpoint_id]),
    }));
  const isFailing = endpoints.some(({ state }) => state === "failing" || state === "disabled");
  const failed = events.failed - events.without_endpoint;
  if (failed > 0 && endpoints.length > 0 && !isFailing) {
    const words = `${counted(failed, "event")} could not be delivered.`;
    needs.push({ words, href: addressOf(["events"], { status: "failed" }) });
  }
  return needs;
}

function wordsOf({ url, state, failing_since, disabled_at }: Endpoint): string {
  if (state === "unverified") return `${url} has not returned its challenge, so its events wait.`;
  return state === "disabled"
    ? `${url} has been disabled since ${localTime(disabled_at)}.`
    : `${url} has been failing since ${localTime(failing_since)}.`;
}

function importNeeds({ files }: Overview, running: readonly Import[]): Need[] {
  const failed = {
    words: `${counted(files.failed, "file")} failed.`,
    href: addressOf(["files"], { status: "failed" }),
  };
  const stuck = running.filter(
    ({ updated_at, files: { pending } }) => pending > 0 && Date.now() - Date.parse(updated_at) > STUCK_MS,
  );
  return [
    ...(files.failed > 0 ? [failed] : []),
    ...stuck.map(({ import_id, user_id, updated_at }) => ({
      words: `The import of ${user_id} has made no progress for ${age(updated_at)}.`,
      href: addressOf(["imports", import_id]),
    })),
  ];
}

function keyNeeds({ keys }: PartnerWithUsage): Need[] {
  return keys.flatMap(({ key_id, label, expires_at }) =>
    expires_at !== null && Date.parse(expires_at) - Date.now() < KEY_WARNED_MS
      ? [
          {
            words: `The key ${label ?? key_id} expires at ${localTime(expires_at)}.`,
            href: addressOf(["settings"]),
          },
        ]
      : [],
  );
}

function quotaNeeds({ quotas, usage }: PartnerWithUsage): Need[] {
  return (["files", "stored_bytes"] as const).flatMap((unit) => {
    const quota = quotas[unit];
    if (quota === null || usage[unit] < quota * QUOTA_NEAR) return [];
    const inWords =
      unit === "files"
        ? `${number(usage.files)} of ${counted(quota, "file")}`
        : `${bytes(usage.stored_bytes)} of ${bytes(quota)}`;
    return [{ words: `Your quota is nearly used up: ${inWords}.`, href: addressOf(["settings"]) }];
  });
}
