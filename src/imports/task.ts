import { z } from "@hono/zod-openapi";
import { MAX_EXPECTED_IDS } from "../contract/limits.ts";
import { nameText, userIdText } from "../contract/text.ts";

/** A partner's statement that its held pings are complete. Other fields are ignored. */
export const taskSchema = z
  .object({
    bulk_fit_transfer_complete: z.literal(true),
    source: nameText,
    is_initial_import: z.boolean(),
    user_id: userIdText,
    event_id: nameText.nullable().optional(),
    expected_summary_ids: z
      .preprocess((ids, ctx) => {
        if (Array.isArray(ids) && ids.length > MAX_EXPECTED_IDS) {
          ctx.addIssue({
            code: "custom",
            params: { code: "too_many_items" },
            message: `${ids.length} expected_summary_ids; at most ${MAX_EXPECTED_IDS}. Leave the field out for larger transfers.`,
          });
        }
        return ids;
      }, z.array(nameText).max(MAX_EXPECTED_IDS))
      .optional(),
  })
  .openapi("Task");
export type Task = z.infer<typeof taskSchema>;
