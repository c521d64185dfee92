import { FILE_ERROR_CODES } from "../../files/errorCodes.ts";
import { type StoredObject } from "../../files/file.ts";
import { fileErrorOf } from "../../files/storedFields.pure.ts";
import { parsePingFields } from "../../files/pingFields.pure.ts";
import { FAULT_ORIGINS, type FaultOrigin, type FaultSeries } from "../dispatches/retrySchedule.pure.ts";
import { STEP_KINDS, type Step } from "../files/steps.pure.ts";
import type { Submission } from "../files/submission.pure.ts";
import type { Attempts, CurrentVersion, FirstFault, HeldVersion } from "../files/versions.pure.ts";
import {
  count,
  fieldsOf,
  fieldsOfJson,
  list,
  memberOf,
  memberOrNull,
  numberOrNull,
  text,
  textOrNull,
  type Fields,
} from "../../database/parse.ts";

const CURRENT_STATES = ["queued", "imported", "failed"] as const;

/** Parses the `current` column of a file. */
export function parseCurrent(json: string): CurrentVersion {
  const fields = fieldsOfJson(json);
  const dispatched = {
    version: count(fields["version"]),
    submission: submissionOf(fieldsOf(fields["submission"])),
    import_id: textOrNull(fields["import_id"]),
    retried: fields["retried"] === true,
    ...(fields["skipped"] === true ? { skipped: true } : {}),
    attempts: count(fields["attempts"]),
    steps: stepsOf(fields["steps"]),
  };
  const state = memberOf(CURRENT_STATES, fields["state"]);
  if (state === "imported") {
    const { revision, settled_at } = fields;
    return { ...dispatched, state, revision: count(revision), settled_at: count(settled_at) };
  }
  const failed_object = storedObjectOf(fields["failed_object"]);
  if (state === "failed") {
    const fault = fileErrorOf(fieldsOf(fields["fault"]));
    return {
      ...dispatched,
      state,
      fault,
      first_fault: firstFaultOf(fields["first_fault"]),
      failed_object,
      settled_at: count(fields["settled_at"]),
    };
  }
  return { ...dispatched, state, ...attemptsOf(fields), failed_object };
}

function attemptsOf(fields: Fields): Attempts {
  return {
    attempts: count(fields["attempts"]),
    steps: stepsOf(fields["steps"]),
    fault: fields["fault"] == null ? null : fileErrorOf(fieldsOf(fields["fault"])),
    next_attempt_at: numberOrNull(fields["next_attempt_at"]),
    first_fault: firstFaultOf(fields["first_fault"]),
    faults: faultsOf(fields["faults"]),
    postponed_since: numberOrNull(fields["postponed_since"]),
  };
}

function stepsOf(value: unknown): Step[] {
  return list(value).flatMap((step) => stepOf(fieldsOf(step)) ?? []);
}

/** Parses the `held` column of a file. */
export function parseHeld(version: number, json: string): HeldVersion {
  const fields = fieldsOfJson(json);
  const prefetch = fields["prefetch"] == null ? null : attemptsOf(fieldsOf(fields["prefetch"]));
  return { version, state: "held", submission: submissionOf(fields), prefetch };
}

/** Returns the `held` column of a file. Attempts are beside the fields of the ping, which older code reads alone. */
export function storedHeld({ submission, prefetch }: HeldVersion): string {
  return JSON.stringify(prefetch === null ? submission : { ...submission, prefetch });
}

function submissionOf(fields: Fields): Submission {
  return {
    ...parsePingFields(fields),
    callback_url: textOrNull(fields["callback_url"]),
    object_key: textOrNull(fields["object_key"]),
    callback_digest: textOrNull(fields["callback_digest"]),
    received_at: count(fields["received_at"]),
  };
}

function firstFaultOf(value: unknown): FirstFault | null {
  if (value == null) return null;
  const fields = fieldsOf(value);
  return { ...fileErrorOf(fields), at: count(fields["at"]) };
}

function faultsOf(value: unknown): Partial<Record<FaultOrigin, FaultSeries>> {
  const faults: Partial<Record<FaultOrigin, FaultSeries>> = {};
  if (value == null) return faults;
  const fields = fieldsOf(value);
  for (const origin of FAULT_ORIGINS) {
    if (fields[origin] == null) continue;
    const { times, since } = fieldsOf(fields[origin]);
    faults[origin] = { times: count(times), since: count(since) };
  }
  return faults;
}

function storedObjectOf(value: unknown): StoredObject | null {
  if (value == null) return null;
  const { key, sha256, size_in_bytes } = fieldsOf(value);
  return { key: text(key), sha256: text(sha256), size_in_bytes: count(size_in_bytes) };
}

/** Parses a step. Null for a kind that this version of the code does not know. */
function stepOf({ at, what, attempt, code }: Fields): Step | null {
  const kind = memberOrNull(STEP_KINDS, what);
  if (kind === null) return null;
  return {
    at: count(at),
    what: kind,
    attempt: numberOrNull(attempt),
    code: memberOrNull(FILE_ERROR_CODES, code),
  };
}
