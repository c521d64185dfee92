import { createRoute } from "@hono/zod-openapi";
import { importAnswerSchema } from "../../imports/answers.ts";
import { startImport } from "../../imports/startImport.ts";
import { taskSchema } from "../../imports/task.ts";
import { endpoint } from "../context.ts";
import { jsonBody } from "../jsonBody.ts";
import { noQuery } from "../pages.ts";
import { writeProblems } from "../problem.ts";

/** 20,000 expected ids of 255 characters, each character up to three bytes long. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const route = createRoute({
  method: "post",
  path: "/api/task_partner/",
  summary: "Import everything held for a user and source",
  middleware: jsonBody(MAX_BODY_BYTES),
  request: {
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: taskSchema } } },
  },
  responses: {
    202: {
      description: "The import that takes them, or the one that a repeated task has started before.",
      content: { "application/json": { schema: importAnswerSchema } },
    },
    ...writeProblems,
  },
});

export const postTask = endpoint(route, async (c) => {
  const answer = await startImport(c.env, c.var.partner, c.req.valid("json"));
  c.var.noted["import_id"] = answer.import_id;
  c.var.noted["files"] = answer.files.total;
  return c.json(answer, 202);
});
