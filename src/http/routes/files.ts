import { createRoute, z } from "@hono/zod-openapi";
import { deleteFile as deleteStoredFile } from "../../files/deleteFile.ts";
import { editFile } from "../../files/editFile.ts";
import { RETRY_CAN_HELP } from "../../files/errorCodes.ts";
import {
  fileErrorCodeSchema,
  fileSchema,
  fileStatusSchema,
  removedFileSchema,
  type File,
} from "../../files/file.ts";
import { openObject, withOriginal } from "../../files/original.ts";
import * as read from "../../files/read.ts";
import { readTimeline } from "../../files/readTimeline.ts";
import { timelineSchema } from "../../files/timeline.ts";
import { MAX_EDIT_BODY_BYTES } from "../../contract/limits.ts";
import { nameText, userIdText } from "../../contract/text.ts";
import { fileEditSchema } from "../edit.ts";
import { jsonBody } from "../jsonBody.ts";
import { endpoint } from "../context.ts";
import { pageResponse, pageOf, pageQuery } from "../pages.ts";
import {
  conflictProblem,
  notFound,
  notFoundProblem,
  originalMissing,
  originalMissingProblem,
  problem,
  readProblems,
  writeProblems,
} from "../problem.ts";
import { includeDeleted, instant, noQuery, requireUpdatedSince } from "../query.ts";
import { retryFailed } from "../retryFailed.ts";

const params = z.object({ file_id: z.string() });

/** Rejects a `summary_id` without `user_id` and `source`: the search would read every file of the partner. */
function requireUserAndSource(
  query: { summary_id?: string | undefined; user_id?: string | undefined; source?: string | undefined },
  ctx: z.RefinementCtx,
): void {
  if (query.summary_id === undefined) return;
  for (const name of ["user_id", "source"] as const) {
    if (query[name] !== undefined) continue;
    const message = `Send \`${name}\` as well. A \`summary_id\` identifies a file only together with its \`user_id\` and \`source\`.`;
    ctx.addIssue({ code: "custom", path: [name], params: { code: "required" }, message });
  }
}

/** Rejects `include_deleted` with `summary_id`: a list of one file has no order that removals belong to. */
function rejectRemovalsOfOneFile(
  query: { summary_id?: string | undefined; include_deleted?: boolean | undefined },
  ctx: z.RefinementCtx,
): void {
  if (query.summary_id === undefined || query.include_deleted !== true) return;
  const message = "Omit `include_deleted`, or `summary_id`. A list of one file has no removals.";
  ctx.addIssue({ code: "custom", path: ["include_deleted"], message });
}

const listRoute = createRoute({
  method: "get",
  path: "/api/files/",
  summary: "List files, newest first; with `updated_since`, in the order of their changes",
  request: {
    query: z
      .strictObject({
        ...pageQuery,
        user_id: userIdText.optional(),
        source: nameText.optional(),
        status: fileStatusSchema.optional(),
        error_code: fileErrorCodeSchema.optional(),
        import_id: nameText.optional(),
        summary_id: nameText.optional(),
        name_contains: nameText.optional(),
        received_after: instant.optional(),
        received_before: instant.optional(),
        updated_since: instant.optional(),
        include_deleted: includeDeleted,
      })
      .superRefine(requireUserAndSource)
      .superRefine(requireUpdatedSince)
      .superRefine(rejectRemovalsOfOneFile),
  },
  responses: {
    200: {
      description: "A page of files.",
      content: {
        "application/json": { schema: pageOf("FilePage", z.union([fileSchema, removedFileSchema])) },
      },
    },
    ...readProblems,
  },
});

export const listFiles = endpoint(listRoute, async (c) =>
  pageResponse(c, c.req.valid("query"), {
    name: "files",
    position: z.tuple([z.number(), z.string(), z.string(), z.string()]),
    read: async (filters, page) => read.listFiles(c.env, c.var.partner, filters, page),
  }),
);

const getRoute = createRoute({
  method: "get",
  path: "/api/files/{file_id}/",
  summary: "Get a file",
  request: { params, query: noQuery },
  responses: {
    200: { description: "The file.", content: { "application/json": { schema: fileSchema } } },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getFile = endpoint(getRoute, async (c) => {
  const file = await read.readFile(c.env, c.var.partner, c.req.valid("param").file_id);
  return file === null ? notFound(c, "file") : c.json(file, 200);
});

const patchRoute = createRoute({
  method: "patch",
  path: "/api/files/{file_id}/",
  summary: "Rename a file, without importing it again",
  middleware: jsonBody(MAX_EDIT_BODY_BYTES),
  request: {
    params,
    query: noQuery,
    body: { required: true, content: { "application/json": { schema: fileEditSchema } } },
  },
  responses: {
    200: {
      description: "The file after the edit.",
      content: { "application/json": { schema: fileSchema } },
    },
    ...writeProblems,
    ...notFoundProblem,
  },
});

export const patchFile = endpoint(patchRoute, async (c) => {
  const { file_id } = c.req.valid("param");
  const { partner } = c.var;
  const isEdited = await editFile(c.env, partner, file_id, { file: c.req.valid("json") });
  const file = isEdited ? await read.readFile(c.env, partner, file_id) : null;
  return file === null ? notFound(c, "file") : c.json(file, 200);
});

const binary = { schema: z.string().openapi({ format: "binary" }) };

const originalRoute = createRoute({
  method: "get",
  path: "/api/files/{file_id}/original/",
  summary: "Get the original bytes of a file",
  request: { params, query: noQuery },
  responses: {
    200: {
      description: "The bytes.",
      content: { "application/vnd.ant.fit": binary, "application/gzip": binary, "application/zip": binary },
    },
    ...readProblems,
    ...originalMissingProblem,
    ...notFoundProblem,
    ...conflictProblem("original_not_fit"),
  },
});

/** Prevents a browser from executing the bytes. */
const SANDBOX_POLICY = "default-src 'none'; sandbox";

export const getOriginal = endpoint(originalRoute, async (c) => {
  const { file_id } = c.req.valid("param");
  const original = await withOriginal(c.env, c.var.partner, file_id, (stored, key) =>
    openObject(c.env.FILES, stored, key),
  );
  if (!original.ok) {
    switch (original.code) {
      case "no_file":
        return notFound(c, "file");
      case "no_bytes":
        return problem(
          c,
          "not_found",
          "No bytes of this file can be read: it has not been imported, or its download failed. Read the file's `status` and `error` for the reason.",
        );
      case "missing":
        return originalMissing(c);
    }
  }
  if (!original.found.ok) {
    return problem(
      c,
      "original_not_fit",
      "The stored bytes contain no FIT file, so they are not returned. The file's `error` describes what was received. Ping the file again with a URL that returns the FIT file.",
    );
  }
  const { body, contentType, extension, sizeInBytes } = original.found;
  return c.body(body, 200, {
    "Content-Type": contentType,
    "Content-Length": String(sizeInBytes),
    "Content-Disposition": `attachment; filename="${file_id}.${extension}"`,
    "Content-Security-Policy": SANDBOX_POLICY,
  });
});

const timelineRoute = createRoute({
  method: "get",
  path: "/api/files/{file_id}/timeline/",
  summary: "Get the processing steps of a file",
  request: { params, query: noQuery },
  responses: {
    200: {
      description: "The steps of its newest version, oldest first.",
      content: { "application/json": { schema: timelineSchema } },
    },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const getTimeline = endpoint(timelineRoute, async (c) => {
  const { file_id } = c.req.valid("param");
  const timeline = await readTimeline(c.env, c.var.partner.partner_id, file_id);
  return timeline === null ? notFound(c, "file") : c.json(timeline, 200);
});

const retryRoute = createRoute({
  method: "post",
  path: "/api/files/{file_id}/retry/",
  summary: "Retry a failed file, from its stored bytes or its stored URL",
  request: { params, query: noQuery },
  responses: {
    202: {
      description: "The file, queued again.",
      content: { "application/json": { schema: fileSchema } },
    },
    ...readProblems,
    ...notFoundProblem,
    ...conflictProblem("not_retryable"),
  },
});

function notRetryableDetail({ status, error }: File): string {
  if ((status !== "failed" && status !== "skipped") || error === null) {
    return `Only a failed or skipped file can be retried. The status of this file is \`${status}\`.`;
  }
  return RETRY_CAN_HELP[error.code]
    ? "The bytes and the URL of this file are no longer stored. Ping the file again."
    : `This file failed as \`${error.code}\`, and the same bytes would fail again. Correct the file and ping it again.`;
}

export const retryFile = endpoint(retryRoute, async (c) => {
  const { file_id } = c.req.valid("param");
  const found = await read.readFile(c.env, c.var.partner, file_id);
  if (found === null) return notFound(c, "file");
  const retried = await retryFailed(c, { file_id }, notRetryableDetail(found));
  if (!retried.ok) return retried.response;
  const queued = await read.readFile(c.env, c.var.partner, file_id);
  return c.json(queued ?? found, 202);
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/files/{file_id}/",
  summary: "Delete a file with its activities",
  request: { params, query: noQuery },
  responses: {
    202: {
      description: "The file is deleted. Its bytes follow within half an hour.",
      content: {
        "application/json": {
          schema: z
            .strictObject({ file_id: z.string(), status: z.literal("deleting") })
            .openapi("DeletedFile"),
        },
      },
    },
    ...readProblems,
    ...notFoundProblem,
  },
});

export const deleteFile = endpoint(deleteRoute, async (c) => {
  const { file_id } = c.req.valid("param");
  const known = await deleteStoredFile(c.env, c.var.partner, file_id);
  return known ? c.json({ file_id, status: "deleting" as const }, 202) : notFound(c, "file");
});
