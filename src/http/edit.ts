import { z } from "@hono/zod-openapi";
import { received } from "../contract/faultDetail.ts";
import { MAX_TITLE_CHARACTERS } from "../contract/limits.ts";
import { textOf } from "../contract/text.ts";
import { SPORT_NAMES, SUB_SPORT_NAMES } from "../fit/index.ts";

/** Bodies of edits. Null undoes the edit of a field; a missing field keeps its value. */

/** Returns a schema of the names of a list of the FIT profile, which the documentation shows at `anchor`. */
function fitName(names: readonly string[], what: string, anchor: string) {
  const known = new Set(names);
  return z.string().superRefine((name, ctx) => {
    if (known.has(name)) return;
    const message = `Received ${received(name)}. Send the name of a ${what} in the FIT profile, such as \`${names[1]}\`. /docs/#${anchor} lists the names.`;
    ctx.addIssue({ code: "custom", params: { code: "invalid_value" }, message });
  });
}

/** Rejects a body without any of its fields. */
function requireAny(body: object, ctx: z.RefinementCtx<object>): void {
  if (Object.keys(body).length > 0 || ctx.issues.length > 0) return;
  const message = "The body has no field to edit. Send at least one, with null to undo its edit.";
  ctx.addIssue({ code: "custom", params: { code: "required" }, message });
}

export const fileEditSchema = z
  .strictObject({
    // No store accepts half of a surrogate pair.
    activity_name: textOf(MAX_TITLE_CHARACTERS)
      .transform((name) => name.toWellFormed())
      .nullable()
      .optional(),
  })
  .superRefine(requireAny)
  .openapi("FileEdit");

const activityFields = {
  sport: fitName(SPORT_NAMES, "sport", "sports").nullable(),
  sub_sport: fitName(SUB_SPORT_NAMES, "sub-sport", "sub-sports").nullable(),
  exclude_from_training: z.boolean().nullable(),
};

export const activityEditSchema = z
  .strictObject(activityFields)
  .partial()
  .superRefine(requireAny)
  .openapi("ActivityEdit");

/** Edits of an activity that is not imported yet. */
export const pendingEditSchema = z
  .strictObject({
    activity_id: z.string(),
    file_id: z.string(),
    sport: z.string().nullable(),
    sub_sport: z.string().nullable(),
    exclude_from_training: z.boolean().nullable(),
  })
  .openapi("PendingActivityEdit");
