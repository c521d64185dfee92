import { expect } from "vitest";
import { z } from "zod";
import { allAcceptedSchema } from "../../src/pings/acceptedPings.ts";
import { send } from "../support/http.ts";
import type { TestPartner } from "../support/partner.ts";
import { RIDE } from "../support/rideFile.ts";

/** Requests of a partner over HTTP, valid unless a test changes them. */

export const HOST = "https://files.example.com";
export const RECEIVER = "https://partner.example.com/events";
export const SOURCE = "watch";

export interface PingFields {
  summary_id: string;
  callback_url: string;
  priority?: 0 | 1;
  overwrite_mode?: boolean;
  user_id?: string;
  /** Unix seconds. */
  start_time_in_seconds?: string;
  source?: string;
}

export function pingOf(fields: PingFields) {
  return {
    file_type: "FIT",
    activity_name: "Morning ride",
    priority: 1,
    user_id: "user-1",
    source: SOURCE,
    overwrite_mode: false,
    start_time_in_seconds: String(RIDE.startInSeconds),
    ...fields,
  };
}

export async function ping(who: TestPartner, ...files: PingFields[]) {
  const response = await send(who, "POST", "/api/fit_partner_ping/", {
    body: { activity_files: files.map(pingOf) },
  });
  expect(response.status).toBe(202);
  return allAcceptedSchema.parse(await response.json()).files;
}

export async function task(who: TestPartner, fields: Record<string, unknown> = {}) {
  const response = await send(who, "POST", "/api/task_partner/", {
    body: {
      bulk_fit_transfer_complete: true,
      source: SOURCE,
      is_initial_import: false,
      user_id: "user-1",
      ...fields,
    },
  });
  expect(response.status).toBe(202);
  return z
    .looseObject({ import_id: z.string(), repeated: z.boolean(), status: z.string() })
    .parse(await response.json());
}

export async function read(who: TestPartner, path: string): Promise<Record<string, unknown>> {
  const response = await send(who, "GET", path);
  expect(response.status).toBe(200);
  return z.record(z.string(), z.unknown()).parse(await response.json());
}

export const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
