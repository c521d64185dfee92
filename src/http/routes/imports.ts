import { createRoute, z } from "@hono/zod-openapi";
import { cancelImport } from "../../imports/cancelImport.ts";
import { importSchema, importStatusSchema, retriedImportSchema } from "../../imports/import.ts";
import * as read from "../../imports/read.ts";
import { instantOf } from "../../database/rows.ts";
import { nameText, userIdText } from "../../contract/text.ts";
import { endpoint } from "../context.ts";
import { pageResponse, pageOf, pageQuery } from "../pages.ts";
import { conflictProblem, notFound, notFoundProblem, problem, readProblems } from "../problem.ts";
import { instant, noQuery } from "../query.ts";
import { retryFailed } from "../retryFailed.ts";

const listRoute = createRoute({
  method: "get",
  path: "/api/imports/",
  summary: "List imports, newest first; with `updated_since`, in the order of their changes",
  request: {
    query: z.strictObject({
      ...pageQuery,
      user_id: userIdText.optional(),
      source: nameText.optional(),
      status: importStatusSchema.optional(),
      updated_since: instant.optional(),
    }),
  },
  responses: {
    200: {
      description: "A page of imports.",
      content: { "application/json": { schema: pageOf("ImportPage", importSchema) } },
    },
    ...readProblems,
  },
});

export const listImports = endpoint(listRoute, async (c) =>
  pageResponse(c, c.req.valid("query"), {
    name: "imports",
    position: z.tuple([z.number(), z.string()]),
    read: async (filters, page) => read.listImports(c.env, c.var.partner, filters, page),
  }),
);

const params = z.object({ import_id: z.string() });

const getRoute = createRoute({
  method: "get",
  path: "/api/imports/{import_id}/",
  summary: "Get an import with its current counts",
  request: { params, query: noQuery },
  responses: {
    200: { description: "The import.", content: { "application/json": { schema: importSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getImport = endpoint(getRoute, async (c) => {
  const { import_id } = c.req.valid("param");
  const found = await read.readImport(c.env, c.var.partner, import_id);
  return found === null ? notFound(c, "import") : c.json(found, 200);
});

const cancelRoute = createRoute({
  method: "post",
  path: "/api/imports/{import_id}/cancel/",
  summary: "Cancel a running import",
  request: { params, query: noQuery },
  responses: {
    202: {
      description: "The cancelled import. `completed_at` is set when the last file is settled.",
      content: { "application/json": { schema: importSchema } },
    },
    ...readProblems,
    ...notFoundProblem,
    ...conflictProblem("import_completed"),
  },
});

export const postCancel = endpoint(cancelRoute, async (c) => {
  const { import_id } = c.req.valid("param");
  const found = await cancelImport(c.env, c.var.partner, import_id);
  if (found === null) return notFound(c, "import");
  if (found.is_cancelled) return c.json(found.import, 202);
  return problem(
    c,
    "import_completed",
    "The import has completed, so it cannot be cancelled. Its files stay imported.",
  );
});

const retryRoute = createRoute({
  method: "post",
  path: "/api/imports/{import_id}/retry/",
  summary: "Retry the failed files of an import",
  request: { params, query: noQuery },
  responses: {
    202: {
      description: "The import. Its counts and status change as its files are imported or fail.",
      content: { "application/json": { schema: retriedImportSchema } },
    },
    ...readProblems,
    ...notFoundProblem,
    ...conflictProblem("not_retryable"),
  },
});

export const retryImport = endpoint(retryRoute, async (c) => {
  const { import_id } = c.req.valid("param");
  const { partner } = c.var;
  const found = await read.readImport(c.env, partner, import_id);
  if (found === null) return notFound(c, "import");
  const retried_at = instantOf(Date.now());
  const retried = await retryFailed(
    c,
    { import_id },
    "The import has no failed or skipped file that a retry can help. Read `error` of these files, and ping them again.",
  );
  if (!retried.ok) return retried.response;
  return c.json({ ...found, retried_files: retried.queued, retried_at }, 202);
});
