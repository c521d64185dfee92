import { z } from "zod";
import { allAcceptedSchema } from "../../src/pings/acceptedPings.ts";
import { eventually } from "../support/eventually.ts";
import type { PartnerCredentials } from "../support/serviceProcess.ts";

/** The fields that these tests read. Written from the contract, not imported from src. */
const fileSchema = z.object({
  file_id: z.string(),
  summary_id: z.string(),
  status: z.string(),
  import_id: z.string().nullable(),
  error: z.object({ code: z.string(), http_status: z.number().nullable() }).nullable(),
  last_error: z.object({ code: z.string(), http_status: z.number().nullable() }).nullable(),
  sha256: z.string().nullable(),
  activity_ids: z.array(z.string()),
});
export type File = z.infer<typeof fileSchema>;
const importSchema = z.object({
  import_id: z.string(),
  event_id: z.string().nullable(),
  status: z.string(),
  files: z.object({
    total: z.number(),
    pending: z.number(),
    imported: z.number(),
    skipped: z.number(),
    failed: z.number(),
  }),
});
const taskSchema = importSchema.extend({ repeated: z.boolean(), warnings: z.array(z.string()) });
const readImportSchema = importSchema.extend({
  completed_at: z.string().nullable(),
  training_plan: z.object({ status: z.string() }).nullable(),
  event: z.object({ status: z.string(), attempts: z.number() }).nullable(),
});
export type Import = z.infer<typeof readImportSchema>;
const activitySchema = z.object({
  activity_id: z.string(),
  file_id: z.string(),
  summary_id: z.string(),
  sport: z.string(),
  start_time_in_seconds: z.number(),
  version: z.number(),
});
const eventSchema = z.object({ id: z.string(), type: z.string(), status: z.string() });
const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() });

export interface PingFields {
  summary_id: string;
  callback_url: string;
  priority: 0 | 1;
  user_id: string;
  start_time_in_seconds: string;
  activity_name?: string;
  overwrite_mode?: boolean;
}

export interface TaskFields {
  user_id: string;
  /** Default: `SOURCE`. */
  source?: string;
  is_initial_import: boolean;
  event_id?: string;
}

export const SOURCE = "watch";

export type PartnerClient = ReturnType<typeof partnerClient>;

/** Returns a partner's HTTP client. It knows only the address of the service and its own credentials. */
export function partnerClient(url: string, credentials: Pick<PartnerCredentials, "partner_id" | "auth_key">) {
  const headers = {
    Authorization: `Bearer ${credentials.auth_key}`,
    "Partner-Id": credentials.partner_id,
    "Content-Type": "application/json",
  };

  const send = async (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });

  const call = async <T>(
    method: string,
    path: string,
    status: number,
    schema: z.ZodType<T>,
    body?: unknown,
  ) => {
    const response = await send(method, path, body);
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return schema.parse(JSON.parse(text));
  };

  const listAll = async <T>(path: string, item: z.ZodType<T>): Promise<T[]> => {
    const found: T[] = [];
    let cursor = "";
    do {
      const page = await call("GET", path + cursor, 200, pageOf(item));
      found.push(...page.data);
      cursor = page.next_cursor === null ? "" : `&cursor=${encodeURIComponent(page.next_cursor)}`;
    } while (cursor !== "");
    return found;
  };

  const readFile = async (fileId: string) => call("GET", `/api/files/${fileId}/`, 200, fileSchema);
  const readImport = async (importId: string) =>
    call("GET", `/api/imports/${importId}/`, 200, readImportSchema);

  return {
    send,
    sendFile: async (path: string, bytes: Uint8Array<ArrayBuffer>): Promise<Response> =>
      fetch(url + path, {
        method: "POST",
        headers: { ...headers, "Content-Type": "application/octet-stream" },
        body: bytes,
      }),
    ping: async (...items: PingFields[]) =>
      call("POST", "/api/fit_partner_ping/", 202, allAcceptedSchema, {
        activity_files: items.map((item) => ({
          file_type: "FIT",
          activity_name: "Morning ride",
          source: SOURCE,
          overwrite_mode: false,
          ...item,
        })),
      }),
    task: async (fields: TaskFields) =>
      call("POST", "/api/task_partner/", 202, taskSchema, {
        bulk_fit_transfer_complete: true,
        source: SOURCE,
        ...fields,
      }),
    readFile,
    readImport,
    readActivity: async (activityId: string) =>
      call("GET", `/api/activities/${activityId}/`, 200, activitySchema),
    listFiles: async (query: string) => listAll(`/api/files/?limit=50&${query}`, fileSchema),
    listActivities: async (query: string) => listAll(`/api/activities/?limit=50&${query}`, activitySchema),
    listImports: async (query: string) => listAll(`/api/imports/?limit=50&${query}`, importSchema),
    listEvents: async () => listAll("/api/events/?limit=50", eventSchema),
    /** Waits until the file is imported or failed. */
    settledFile: async (fileId: string, deadlineInSeconds = 30): Promise<File> =>
      eventually(`file ${fileId} settles`, deadlineInSeconds, async () => {
        const file = await readFile(fileId);
        return file.status === "imported" || file.status === "failed" ? file : undefined;
      }),
    /** Waits until the import is completed. */
    completedImport: async (importId: string, deadlineInSeconds: number): Promise<Import> =>
      eventually(`import ${importId} completes`, deadlineInSeconds, async () => {
        const found = await readImport(importId);
        return found.completed_at === null ? undefined : found;
      }),
  };
}
