import { createRoute, z } from "@hono/zod-openapi";
import type { StartedImport } from "../../collector/calls.ts";
import { userHash } from "../../identifiers.ts";
import { countsOf, importCountsSchema, importFilesOf } from "../../imports/counts.pure.ts";
import {
  IMPORT_STATUSES,
  importAnswerSchema,
  NO_EVENT_URL,
  type ImportAnswer,
} from "../../imports/import.ts";
import { missingOf, previewImport, startImport } from "../../imports/startImport.ts";
import { taskSchema, type Task } from "../../imports/task.ts";
import type { Partner } from "../../partners/partner.ts";
import { endpoint } from "../context.ts";
import { idempotencyKey, runOnce } from "../idempotency.ts";
import { jsonBody } from "../jsonBody.ts";
import { conflictProblem, keyReusedProblem, writeProblems } from "../problem.ts";
import { dryRunQuery } from "../query.ts";

/** 20,000 expected ids of 255 characters, each character up to three bytes long. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const route = createRoute({
  method: "post",
  path: "/api/task_partner/",
  summary: "Import everything held for a user and source",
  middleware: jsonBody(MAX_BODY_BYTES),
  request: {
    query: dryRunQuery,
    headers: z.object({ "Idempotency-Key": idempotencyKey }),
    body: { required: true, content: { "application/json": { schema: taskSchema } } },
  },
  responses: {
    202: {
      description:
        "The import that takes them, or the one that a repeated task has started before. The import_id of a dry run names nothing.",
      content: { "application/json": { schema: importAnswerSchema } },
    },
    ...writeProblems,
    ...conflictProblem("idempotency_in_flight"),
    ...keyReusedProblem,
  },
});

/** The stored part of an answer: with the same task, enough to rebuild it. */
const keptSchema = z.object({
  import_id: z.string(),
  status: z.enum(IMPORT_STATUSES),
  ...importCountsSchema.shape,
  repeated: z.boolean(),
  missing: z.array(z.number()).nullable(),
  sendable: z.boolean(),
});
type Kept = z.infer<typeof keptSchema>;

function kept(partner: Partner, { import: row, repeated, missing }: StartedImport): Kept {
  const { import_id, status } = row;
  const sendable = partner.event_url !== null;
  return { import_id, status, ...countsOf(row), repeated, missing, sendable };
}

function answerOf(task: Task, outcome: Kept): ImportAnswer {
  const { user_id, source, is_initial_import, event_id = null } = task;
  const { import_id, status, repeated, sendable } = outcome;
  const missing = missingOf(task, outcome.missing);
  return {
    import_id,
    user_id,
    source,
    is_initial_import,
    event_id,
    status,
    files: importFilesOf(outcome),
    ...(missing === null ? {} : { missing_summary_ids: missing }),
    repeated,
    warnings: event_id !== null && !sendable ? [NO_EVENT_URL] : [],
  };
}

export const postTask = endpoint(route, async (c) => {
  const task = c.req.valid("json");
  const { partner } = c.var;
  if (c.req.valid("query").dry_run === "true") {
    const started = await previewImport(c.env, partner.partner_id, task);
    return c.json(answerOf(task, kept(partner, started)), 202);
  }
  const started = await runOnce(c, c.req.valid("header")["Idempotency-Key"], {
    userHashes: [userHash(partner.partner_id, task.user_id)],
    run: async () => {
      const done = await startImport(c.env, partner.partner_id, task);
      return done.ok ? { ok: true, outcome: kept(partner, done.outcome) } : done;
    },
    keep: (outcome) => JSON.stringify(outcome),
    rebuild: (text) => keptSchema.parse(JSON.parse(text)),
  });
  if (!started.ok) return started.refusal;
  const answer = answerOf(task, started.outcome);
  c.var.logFields.import_id = answer.import_id;
  c.var.logFields.files = answer.files.total;
  return c.json(answer, 202);
});
