import type { Submission } from "../../src/collector/files/submission.pure.ts";
import { parsePingFields, type PingFields } from "../../src/files/pingFields.pure.ts";

/** Returns a ping's fields: defaults with these changes. */
export function pingFields(changes: Partial<PingFields> = {}): PingFields {
  return { ...parsePingFields({ start_time_in_seconds: "1760000000" }), ...changes };
}

/** Returns a live ride's ping as a collector stores it, with these changes. */
export function submissionOf(changes: Partial<Submission> = {}): Submission {
  return {
    ...pingFields({ priority: 1 }),
    callback_url: "https://files.example.com/1.fit",
    object_key: null,
    callback_digest: null,
    received_at: Date.now(),
    ...changes,
  };
}
