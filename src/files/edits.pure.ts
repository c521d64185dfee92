import { count, fieldsOf, fieldsOfJson, textOrNull } from "../database/parse.ts";

/** Fields that a partner can edit. `edited` of a file has only the first. */
export const EDITED_FIELDS = ["activity_name", "sport", "sub_sport", "exclude_from_training"] as const;
type EditedField = (typeof EDITED_FIELDS)[number];

/** Edits of an activity. A field without an edit is missing. */
export interface ActivityEdits {
  sport?: string | undefined;
  sub_sport?: string | undefined;
  exclude_from_training?: boolean | undefined;
}

/** A partner's edits of a file and its activities. They stay when the file is imported or decoded again. */
export interface FileEdits {
  /** Rises with each edit: its time in Unix milliseconds, raised when needed. */
  version: number;
  /** The file's newest version at the last edit. An erasure or a deletion that covers this version removes the edits. */
  file_version: number;
  activity_name?: string | undefined;
  /** By session index. Activities without edits are missing. */
  activities: Readonly<Record<string, ActivityEdits>>;
}

/** Changes of edits. Null undoes an edit; a missing field leaves it as it is. */
type Changes<T> = { readonly [Name in keyof T]?: T[Name] | null };
export type FileChange = Changes<Pick<FileEdits, "activity_name">>;
export type ActivityChange = Changes<ActivityEdits>;

/** A change of a file's edits, or of those of one of its activities. */
export type EditChange = { file: FileChange } | { session_index: number; activity: ActivityChange };

const NO_EDITS: FileEdits = { version: 0, file_version: 0, activities: {} };

function after<T>(before: T | undefined, change: T | null | undefined): T | undefined {
  return change === undefined ? before : (change ?? undefined);
}

function changed(edits: FileEdits, change: EditChange): FileEdits {
  if ("file" in change) {
    return { ...edits, activity_name: after(edits.activity_name, change.file.activity_name) };
  }
  const { session_index, activity } = change;
  const { [session_index]: before = {}, ...others } = edits.activities;
  const edited: ActivityEdits = {
    sport: after(before.sport, activity.sport),
    sub_sport: after(before.sub_sport, activity.sub_sport),
    exclude_from_training: after(before.exclude_from_training, activity.exclude_from_training),
  };
  const isEdited = Object.values(edited).some((value) => value !== undefined);
  return { ...edits, activities: isEdited ? { ...others, [session_index]: edited } : others };
}

/** Returns a file's edits after a change, with the file's newest version. The same object when nothing changes. */
export function withChange(
  edits: FileEdits | null,
  change: EditChange,
  fileVersion: number,
  nowMs: number,
): FileEdits | null {
  const before = edits ?? NO_EDITS;
  const edited = changed(before, change);
  if (storedEdits(edited) === storedEdits(before)) return edits;
  return { ...edited, version: Math.max(nowMs, before.version + 1), file_version: fileVersion };
}

/** Returns edits as they are stored. */
export function storedEdits({ version, file_version, activity_name, activities }: FileEdits): string {
  return JSON.stringify({ version, file_version, activity_name, activities });
}

/** Parses stored edits. Ignores fields that this version of the code does not know. */
export function parseEdits(stored: string | null): FileEdits | null {
  if (stored === null) return null;
  const fields = fieldsOfJson(stored);
  const activities = Object.entries(fieldsOf(fields["activities"] ?? {})).map(([index, value]) => {
    const { sport, sub_sport, exclude_from_training } = fieldsOf(value);
    const edited: ActivityEdits = {
      sport: textOrNull(sport) ?? undefined,
      sub_sport: textOrNull(sub_sport) ?? undefined,
      exclude_from_training: typeof exclude_from_training === "boolean" ? exclude_from_training : undefined,
    };
    return [index, edited] as const;
  });
  return {
    version: count(fields["version"]),
    file_version: count(fields["file_version"]),
    activity_name: textOrNull(fields["activity_name"]) ?? undefined,
    activities: Object.fromEntries(activities),
  };
}

/** Returns the later ones of two stored edits of a file. */
export function laterEdits(a: FileEdits | null, b: FileEdits | null): FileEdits | null {
  return (a?.version ?? 0) > (b?.version ?? 0) ? a : b;
}

const NONE: ActivityEdits = {};

/** Returns the edits of one activity of a file. */
export function editsOfActivity(edits: FileEdits | null, sessionIndex: number): ActivityEdits {
  return edits?.activities[sessionIndex] ?? NONE;
}

/** Returns the names of edited fields, in a fixed order. */
export function editedFields(edits: FileEdits | null, sessionIndex: number | null): EditedField[] {
  const { sport, sub_sport, exclude_from_training } =
    sessionIndex === null ? NONE : editsOfActivity(edits, sessionIndex);
  const values = { activity_name: edits?.activity_name, sport, sub_sport, exclude_from_training };
  return EDITED_FIELDS.filter((name) => values[name] !== undefined);
}
