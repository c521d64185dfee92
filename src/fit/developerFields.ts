import { countAtMost } from "./countAtMost.ts";
import { HEART_RATE, REPLACEABLE_COLUMNS, STANDARD_KEYS } from "./columns.ts";
import { baseTypeOf, isNumeric, memberBytes, type DeveloperFieldPosition } from "./decode.ts";
import { RECORD, type DEVELOPER_DATA_ID, type FIELD_DESCRIPTION, type Values } from "./profile.ts";
import { DEVELOPER_PREFIX } from "./streamKeys.ts";
import { conversionTo, type Conversion } from "./units.ts";

type Description = Values<typeof FIELD_DESCRIPTION>;

/** Limits that no training file reaches. They bound the memory and time that a hostile file can use. */
const MAX_FIELDS = 64;
const MAX_COLUMNS = 128;
const MAX_MEMBERS = 16;
const MAX_COMBINATIONS = 256;
const MAX_REGISTRATIONS = 64;
const MAX_SIZES = 64;

/** A column of developer readings. */
export interface DeveloperColumn {
  readonly key: string;
  /** Standard column that it replaces in activities without readings of the native field; null for none. */
  readonly replacesColumn: number | null;
  /** Conversion of its readings to the unit of that column. */
  readonly conversion: Conversion;
}

/** How to read a developer field at some place of a file. */
export interface DeveloperField {
  /** Index among the developer columns, and those of the array members. -1 for a column beyond the limit. */
  readonly column: number;
  readonly memberColumns: readonly number[];
  readonly baseType: number;
  readonly scale: number;
  readonly offset: number;
  readonly isHeartRate: boolean;
}

/** Meaning of a developer field from a byte offset on; null while nothing describes it. */
interface Meaning {
  readonly from: number;
  description: Description | null;
}

/** Columns with the same name, native field and unit, unless one record has more than one of them. */
interface Series {
  readonly identity: string;
  readonly keys: Set<number>;
  readonly field: DeveloperField;
}

/** Returns a key for a developer field. Field numbers are only unique within a developer data index. */
function developerKey({
  developerDataIndex,
  number,
}: {
  developerDataIndex: number;
  number: number;
}): number {
  return developerDataIndex * 256 + number;
}

/**
 * Developer fields of a chained file. A description holds for the records after it, because a number, or a whole developer
 * data index, can be used again for something else. The first description also holds for records before it.
 */
export class DeveloperFields {
  /** Numeric fields that records contain, as columns. */
  columns: DeveloperColumn[] = [];
  /** Byte offsets where the meaning of a field changes, in ascending order. */
  readonly changes: number[] = [];
  private readonly meanings = new Map<number, Meaning[]>();
  private readonly applications = new Map<number, string>();
  private registrations = 0;
  /** Bytes of each field in records, from the byte offsets of their definitions on. */
  private readonly sizes = new Map<number, { from: number; size: number }[]>();
  /** Combinations of fields that occur in one record. */
  private readonly combinations = new Map<string, ReadonlySet<number>>();
  private readonly fields = new Map<Meaning, DeveloperField | null>();

  /** An application registers a developer data index. Descriptions of another application no longer hold. */
  addApplication(values: Values<typeof DEVELOPER_DATA_ID>, at: number): void {
    const { developer_data_index: index, application_id: id } = values;
    if (index === undefined) return;
    const application = (id ?? new Uint8Array()).join();
    const known = this.applications.get(index);
    this.applications.set(index, application);
    if (known === undefined || known === application || this.registrations >= MAX_REGISTRATIONS) return;
    this.registrations += 1;
    for (const [key, meanings] of this.meanings) {
      if (key >> 8 === index && meanings.at(-1)?.description !== null) this.change(meanings, at, null);
    }
  }

  /** Returns whether a description says something new about its field. */
  isNew(description: Description): boolean {
    const current = this.meanings.get(keyOf(description))?.at(-1)?.description;
    return current === undefined || current === null || !isSame(current, description);
  }

  addDescription(description: Description, at: number): void {
    const key = keyOf(description);
    const meanings = this.meanings.get(key);
    const last = meanings?.at(-1);
    if (meanings === undefined || last === undefined) this.meanings.set(key, [{ from: 0, description }]);
    else if (last.description === null) last.description = description;
    else this.change(meanings, at, description);
  }

  /** Adds the developer fields of a record definition at a byte offset. */
  addRecordFields(positions: readonly DeveloperFieldPosition[], from: number): void {
    if (positions.length === 0) return;
    const keys = new Set<number>();
    for (const position of positions) {
      const key = developerKey(position);
      const sizes = this.sizes.get(key) ?? [];
      if (sizes.length === 0) {
        if (this.sizes.size >= MAX_FIELDS) continue;
        this.sizes.set(key, sizes);
      }
      if (sizes.length < MAX_SIZES && sizes.at(-1)?.size !== position.size)
        sizes.push({ from, size: position.size });
      keys.add(key);
    }
    if (this.combinations.size < MAX_COMBINATIONS) this.combinations.set([...keys].join(), keys);
  }

  /** Makes the columns, at most `limit` of them. Returns whether all are kept. Call it after the last message. */
  makeColumns(limit: number): boolean {
    const series: Series[] = [];
    const names = new Set<string>();
    const all: DeveloperColumn[] = [];
    const most = Math.min(limit, MAX_COLUMNS);
    let isComplete = true;
    const addColumn = (key: string, replacement: Pick<DeveloperColumn, "replacesColumn" | "conversion">) => {
      if (all.length < most) return all.push({ key: uniqueKey(key, names), ...replacement }) - 1;
      isComplete &&= limit >= MAX_COLUMNS;
      return -1;
    };
    const described = [...this.meanings]
      .flatMap(([key, meanings]) =>
        meanings.map((meaning, i) => ({ key, meaning, until: meanings[i + 1]?.from ?? Infinity })),
      )
      .filter(({ key }) => this.sizes.has(key));
    for (const { key, meaning, until } of described) {
      const { description } = meaning;
      const baseType = baseTypeOf(description?.fit_base_type_id ?? 0xff);
      if (description === null || !isNumeric(baseType)) continue;
      const name = description.field_name ?? `field_${key >> 8}_${key & 0xff}`;
      const replacement = replacementOf(description, name);
      const identity = [name, nativeOf(description), description.units ?? ""].join("\n");
      const known = series.find((one) => one.identity === identity && !this.occursWith(key, one.keys));
      if (known === undefined && all.length >= most) {
        isComplete &&= limit >= MAX_COLUMNS;
        continue;
      }
      const members = Math.min(
        MAX_MEMBERS,
        Math.floor(this.sizeOf(key, meaning.from, until) / memberBytes(baseType)),
      );
      const column = known?.field.column ?? addColumn(`${DEVELOPER_PREFIX}${name}`, replacement);
      const memberKey = (member: number) => `${all[column]?.key}.${member}`;
      const field: DeveloperField = {
        column,
        memberColumns:
          known?.field.memberColumns ??
          (members > 1
            ? Array.from({ length: members }, (_, member) => addColumn(memberKey(member), NO_REPLACEMENT))
            : []),
        baseType,
        scale: description.scale || 1,
        offset: description.offset ?? 0,
        isHeartRate: replacement.replacesColumn === HEART_RATE,
      };
      if (known === undefined) series.push({ identity, keys: new Set([key]), field });
      else known.keys.add(key);
      this.fields.set(meaning, field);
    }
    this.columns = all;
    return isComplete;
  }

  /** Returns the largest size of a field in a range of byte offsets, or else its size before. */
  private sizeOf(key: number, from: number, until: number): number {
    const sizes = this.sizes.get(key) ?? [];
    const within = sizes.filter((one) => one.from >= from && one.from < until);
    const before = sizes.findLast((one) => one.from < from);
    return within.length > 0
      ? Math.max(...within.map(({ size }) => size))
      : ((before ?? sizes[0])?.size ?? 0);
  }

  /** Returns how to read a field of a record at a byte offset; null when it has no column. */
  at(position: DeveloperFieldPosition, offset: number): DeveloperField | null {
    const meaning = meaningAt(this.meanings.get(developerKey(position)) ?? [], offset);
    const field = meaning === undefined ? undefined : this.fields.get(meaning);
    const isReadable =
      field !== undefined &&
      field !== null &&
      position.size > 0 &&
      position.size % memberBytes(field.baseType) === 0;
    return isReadable ? field : null;
  }

  /** Returns the description that holds for a field of a message at a byte offset. */
  descriptionAt(position: DeveloperFieldPosition, offset: number): Description | undefined {
    return meaningAt(this.meanings.get(developerKey(position)) ?? [], offset)?.description ?? undefined;
  }

  private change(meanings: Meaning[], from: number, description: Description | null): void {
    meanings.push({ from, description });
    if (this.changes.at(-1) !== from) this.changes.push(from);
  }

  private occursWith(key: number, others: ReadonlySet<number>): boolean {
    if (others.has(key)) return false;
    if (this.combinations.size >= MAX_COMBINATIONS) return true;
    for (const keys of this.combinations.values()) {
      if (keys.has(key) && [...others].some((other) => keys.has(other))) return true;
    }
    return false;
  }
}

/** Returns the last meaning that begins at or before an offset. */
function meaningAt(meanings: readonly Meaning[], offset: number): Meaning | undefined {
  return meanings[countAtMost(meanings, offset, ({ from }) => from) - 1];
}

function keyOf({
  developer_data_index: index = 0,
  field_definition_number: number = 0,
}: Description): number {
  return developerKey({ developerDataIndex: index, number });
}

function isSame(one: Description, other: Description): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  const [first, second]: Readonly<Record<string, unknown>>[] = [one, other];
  return [...names].every((name) => first?.[name] === second?.[name]);
}

function nativeOf({ native_mesg_num = RECORD.number, native_field_num = -1 }: Description): string {
  return `${native_mesg_num}.${native_field_num}`;
}

const NO_REPLACEMENT = { replacesColumn: null, conversion: { factor: 1, offset: 0 } } as const;

function replacementOf(
  { native_mesg_num = RECORD.number, native_field_num = -1, units }: Description,
  name: string,
): Pick<DeveloperColumn, "replacesColumn" | "conversion"> {
  const native = native_mesg_num === RECORD.number ? REPLACEABLE_COLUMNS.get(native_field_num) : undefined;
  const conversion = native === undefined ? null : conversionTo(native.units, units, name);
  return native === undefined || conversion === null
    ? NO_REPLACEMENT
    : { replacesColumn: native.column, conversion };
}

/** Further columns of the same name get a number. */
function uniqueKey(key: string, names: Set<string>): string {
  let unique = key;
  for (let n = 2; names.has(unique); n++) unique = `${key}_${n}`;
  names.add(unique);
  return unique;
}

/**
 * Returns the column that a standard column's readings come from: its own, or, when the whole activity has none, that
 * of the first developer field that replaces it and has a reading other than 0. Two sources are never mixed.
 */
export function sourceOf(
  column: number,
  developerColumns: readonly DeveloperColumn[],
  hasReadings: (column: number) => boolean,
  hasReadingsButZero: (column: number) => boolean,
): number {
  if (hasReadings(column)) return column;
  const replacement = developerColumns.findIndex(
    ({ replacesColumn }, i) => replacesColumn === column && hasReadingsButZero(STANDARD_KEYS.length + i),
  );
  return replacement < 0 ? column : STANDARD_KEYS.length + replacement;
}
