import { createRoute, z } from "@hono/zod-openapi";
import { MAX_JSON_BODY_BYTES } from "../../contract/limits.ts";
import type { StartedImport } from "../../collector/calls.ts";
import { receiverWarning } from "../../endpoints/read.ts";
import type { Env } from "../../env.ts";
import { userHash } from "../../identifiers.ts";
import { countsOf, importCountsSchema, importFilesOf } from "../../imports/counts.pure.ts";
import { IMPORT_STATUSES, taskResponseSchema, type ImportAnswer } from "../../imports/import.ts";
import { readImport } from "../../imports/read.ts";
import { missingOf, previewImport, startImport } from "../../imports/startImport.ts";
import { taskSchema, type Task } from "../../imports/task.ts";
import { importWarnings, RECEIVER_WARNINGS } from "../../imports/warnings.pure.ts";
import type { Partner } from "../../partners/partner.ts";
import { endpoint } from "../context.ts";
import { idempotencyKey, runOnce } from "../idempotency.ts";
import { jsonBody } from "../jsonBody.ts";
import { conflictProblem, keyReusedProblem, writeProblems } from "../problem.ts";
import { dryRunQuery } from "../query.ts";

const route = createRoute({
  method: "post",
  path: "/api/task_partner/",
  summary: "Import all held files of a user from one source",
  middleware: jsonBody(MAX_JSON_BODY_BYTES),
  request: {
    query: dryRunQuery,
    headers: z.object({ "Idempotency-Key": idempotencyKey }),
    body: { required: true, content: { "application/json": { schema: taskSchema } } },
  },
  responses: {
    202: {
      description:
        "The import of these files. A repeated task returns the import that the first task started. The `import_id` of a dry run does not belong to any import.",
      content: { "application/json": { schema: taskResponseSchema } },
    },
    ...writeProblems,
    ...conflictProblem("idempotency_in_flight"),
    ...keyReusedProblem,
  },
});

/** The part of a response that is stored. With the same task and its import, the whole response can be rebuilt from it. */
const storedSchema = z.object({
  import_id: z.string(),
  status: z.enum(IMPORT_STATUSES),
  ...importCountsSchema.shape,
  repeated: z.boolean(),
  missing: z.array(z.number()).nullable(),
  warning: z.enum(RECEIVER_WARNINGS).nullable(),
});
type StoredAnswer = z.infer<typeof storedSchema>;

interface TaskOutcome extends StoredAnswer {
  /** Names that the partner chose. Not stored with the answer, because the import has them. */
  held_under_other_source: string[] | null;
}

async function outcomeOf(
  env: Env,
  partner: Partner,
  { import: row, repeated, missing }: StartedImport,
): Promise<TaskOutcome> {
  const { import_id, status } = row;
  const warning = row.event_id === null ? null : await receiverWarning(env, partner);
  const { held_under_other_source = null } = row;
  return { import_id, status, ...countsOf(row), repeated, missing, warning, held_under_other_source };
}

/** Returns the text to store. Parsing removes the other sources. */
function serialized(outcome: TaskOutcome): string {
  return JSON.stringify(storedSchema.parse(outcome));
}

async function rebuilt(env: Env, partner: Partner, stored: string): Promise<TaskOutcome> {
  const answer = storedSchema.parse(JSON.parse(stored));
  const found = answer.total > 0 ? null : await readImport(env, partner, answer.import_id);
  return { ...answer, held_under_other_source: found?.held_under_other_source ?? null };
}

function answerOf(task: Task, outcome: TaskOutcome): ImportAnswer {
  const { user_id, source, is_initial_import, event_id = null } = task;
  const { import_id, status, repeated, warning } = outcome;
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
    ...importWarnings(outcome, event_id === null ? null : warning),
  };
}

export const postTask = endpoint(route, async (c) => {
  const task = c.req.valid("json");
  const { partner } = c.var;
  if (c.req.valid("query").dry_run === "true") {
    const started = await previewImport(c.env, partner, task);
    return c.json(answerOf(task, await outcomeOf(c.env, partner, started)), 202);
  }
  const started = await runOnce(c, c.req.valid("header")["Idempotency-Key"], {
    userHashes: [userHash(partner.partner_id, task.user_id)],
    run: async () => {
      const done = await startImport(c.env, partner, task);
      return done.ok ? { ok: true, outcome: await outcomeOf(c.env, partner, done.outcome) } : done;
    },
    serialize: serialized,
    rebuild: async (stored) => rebuilt(c.env, partner, stored),
  });
  if (!started.ok) return started.response;
  const answer = answerOf(task, started.outcome);
  c.var.logFields.import_id = answer.import_id;
  c.var.logFields.files = answer.files.total;
  return c.json(answer, 202);
});
