import { z } from "@hono/zod-openapi";
import { faultsOf, listFaultOf, pointerOf, type Fault } from "../contract/fault.ts";
import type { AddressRules } from "../outbound/address.ts";
import { nameText, userIdText } from "../contract/text.ts";
import type { AcceptedFile, RejectedFile } from "./acceptedPings.ts";
import { callbackReader, type Callback } from "./callback.ts";
import { fileIdOf, pingSchema, type Ping, type ValidPing } from "./ping.ts";

/** One item of a request: a valid ping, or an invalid item with its faults. */
export type JudgedItem = { ok: true; ping: ValidPing } | { ok: false; item: unknown; faults: Fault[] };

/** The result for a request that its schema rejects. */
export interface JudgedRequest {
  /** Faults of the request itself. They reject every item. */
  faults: Fault[];
  items: JudgedItem[];
}

const ITEMS = "activity_files";
const anyRequest = z.object({ [ITEMS]: z.array(z.unknown()) });
const anyItem = z.record(z.string(), z.unknown());

/** Returns a field of an item of any type. Undefined if the item does not have the field. */
function fieldOf(item: unknown, field: string): unknown {
  return anyItem.safeParse(item).data?.[field];
}

/** Checks the callback URLs of pings that match their schema. */
export async function judgePings(pings: readonly Ping[], rules: AddressRules): Promise<JudgedItem[]> {
  const readCallback = callbackReader(rules);
  const judged: JudgedItem[] = [];
  for (const [index, ping] of pings.entries()) {
    const callback = await readCallback(ping.callback_url);
    judged.push(
      callback.ok
        ? { ok: true, ping: { ...ping, inline: callback.inline } }
        : { ok: false, item: ping, faults: callbackFaults(index, callback) },
    );
  }
  return judged;
}

/**
 * Judges each item of a body that its schema rejects with `issues`. Adds the faults of callback URLs, which the schema
 * does not check. Judges no items if the list itself has a fault: too many items or users.
 */
export async function judgeRejected(
  body: unknown,
  issues: readonly z.core.$ZodIssue[],
  rules: AddressRules,
): Promise<JudgedRequest> {
  const issuesByItem = Map.groupBy(issues, itemIndexOf);
  const requestFaults = faultsOf(issuesByItem.get(null) ?? [], body);
  if (listFaultOf(requestFaults) !== null) return { faults: requestFaults, items: [] };
  const readCallback = callbackReader(rules);
  const items: JudgedItem[] = [];
  for (const [index, item] of (anyRequest.safeParse(body).data?.[ITEMS] ?? []).entries()) {
    const callbackUrl = fieldOf(item, "callback_url");
    // The schema has reported a callback_url that is missing, empty or not a string.
    const callback: Callback =
      typeof callbackUrl === "string" && callbackUrl !== ""
        ? await readCallback(callbackUrl)
        : { ok: true, inline: null };
    const faults = [...faultsOf(issuesByItem.get(index) ?? [], body), ...callbackFaults(index, callback)];
    items.push(
      callback.ok && faults.length === 0
        ? { ok: true, ping: { ...pingSchema.parse(item), inline: callback.inline } }
        : { ok: false, item, faults },
    );
  }
  return { faults: requestFaults, items };
}

/** Returns the faults of all items, in the request's order. */
export function itemFaults(items: readonly JudgedItem[]): Fault[] {
  return items.flatMap((item) => (item.ok ? [] : item.faults));
}

function callbackFaults(index: number, callback: Callback): Fault[] {
  if (callback.ok) return [];
  const { code, detail } = callback;
  return [{ pointer: pointerOf([ITEMS, index, "callback_url"]), code, detail }];
}

/** Returns the index of an issue's item. Null for an issue of the request itself. */
function itemIndexOf({ path: [list, index] }: z.core.$ZodIssue): number | null {
  return list === ITEMS && typeof index === "number" ? index : null;
}

/** Returns the response's entry for each item. `accepted` contains the entries of the valid items, in their order. */
export function filesOfItems(
  partnerId: string,
  items: readonly JudgedItem[],
  accepted: readonly AcceptedFile[],
): (AcceptedFile | RejectedFile)[] {
  const acceptedFiles = accepted.values();
  return items.flatMap((item) =>
    item.ok ? (acceptedFiles.next().value ?? []) : rejectedFile(partnerId, item.item, item.faults),
  );
}

function rejectedFile(partnerId: string, item: unknown, errors: Fault[]): RejectedFile {
  const user_id = userIdText.safeParse(fieldOf(item, "user_id")).data ?? null;
  const source = nameText.safeParse(fieldOf(item, "source")).data ?? null;
  const summary_id = nameText.safeParse(fieldOf(item, "summary_id")).data ?? null;
  const isNamed = user_id !== null && source !== null && summary_id !== null;
  return {
    file_id: isNamed ? fileIdOf(partnerId, { user_id, source, summary_id }) : null,
    user_id,
    source,
    summary_id,
    status: "rejected",
    errors,
  };
}
