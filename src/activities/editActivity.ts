import type { Env } from "../env.ts";
import { editFile } from "../files/editFile.ts";
import { editsOfActivity, type ActivityChange, type ActivityEdits } from "../files/edits.pure.ts";
import { readFileEdits } from "../files/read.ts";
import { MAX_SESSIONS } from "../fit/index.ts";
import type { Activity } from "./activity.ts";
import { withDuplicate, type Reader } from "./duplicates/read.ts";
import { parseActivityId, readStoredActivity } from "./read.ts";

export type EditedActivity =
  | { isImported: true; activity: Activity }
  /** The file is not imported yet. Its activity will have these edits. */
  | { isImported: false; fileId: string; edits: ActivityEdits };

/**
 * Edits an activity. While no version of its file is imported, the edit waits for the activity. Returns null when the
 * partner has no such file, or when the file's readable version has no such session.
 */
export async function editActivity(
  env: Env,
  owner: Reader,
  id: string,
  activity: ActivityChange,
): Promise<EditedActivity | null> {
  const parts = parseActivityId(id);
  if (parts === null || parts.sessionIndex >= MAX_SESSIONS) return null;
  const { fileId, sessionIndex } = parts;
  if ((await readStoredActivity(env, owner, id)) === null) {
    const file = await readFileEdits(env, owner, fileId);
    if (file === null || file.isReadable) return null;
  }
  if (!(await editFile(env, owner, fileId, { session_index: sessionIndex, activity }))) return null;
  const stored = await readStoredActivity(env, owner, id);
  if (stored !== null) {
    return { isImported: true, activity: await withDuplicate(env, owner, stored.activity) };
  }
  const file = await readFileEdits(env, owner, fileId);
  return file && { isImported: false, fileId, edits: editsOfActivity(file.edits, sessionIndex) };
}
