import { isSystemTime, type RecordTimes } from "./clock.ts";
import { compileMessage, decodeMessage, placeDeveloperFields, type MessagePlan } from "./decode.ts";
import { readSegments, type Definition, type MessageReader, type Segment } from "./frame.ts";
import { HeartRates } from "./heartRates.ts";
import {
  ACTIVITY,
  DEVICE_INFO,
  EVENT,
  EVENT_TIMER,
  EVENT_TYPES_STOP,
  EVENT_TYPE_START,
  FIELD_DESCRIPTION,
  FILE_ID,
  FILE_TYPE_ACTIVITY,
  HR,
  LAP,
  LENGTH,
  RECORD,
  SESSION,
  SPORT,
  type Decoded,
  type Fields,
  type Message,
  type Values,
} from "./profile.ts";
import type { FitWarning } from "./types.ts";
import {
  CELL_UNITS,
  DEFINITION_UNITS,
  LEAP_UNITS,
  PLACED_FIELD_UNITS,
  RECORD_UNITS,
  type Work,
} from "./work.ts";

/**
 * The first pass: everything but the records' values. Sessions mostly stand at the end of a file and field
 * descriptions may come late, so records are read when all of this is known.
 */

/** Caps that no training file reaches; they bound the memory and the time that a hostile one can take. */
const MAX_SESSIONS = 100;
const MAX_DEVICES = 64;
const MAX_DEVELOPER_FIELDS = 64;

/** What a whole file may still hold, over all its segments. */
interface Allowance {
  records: number;
  laps: number;
  lengths: number;
  timerEvents: number;
  descriptions: number;
}

/**
 * Five weeks of one record a second; laps and lengths that, written out, stay below the 2 MB of a database row
 * (about 800 and 170 bytes each); descriptions for every developer field of a dozen apps.
 */
function allowanceOfFile(): Allowance {
  return { records: 3_000_000, laps: 1_000, lengths: 4_000, timerEvents: 10_000, descriptions: 4_096 };
}

/** Times are FIT seconds, or seconds since power-on; -1 while there is none. */
export interface RecordSurvey extends RecordTimes {
  count: number;
  firstTimestamp: number;
}

export interface TimerEvent {
  timestamp: number;
  running: boolean;
}

/** What one segment says beside its records' values. */
export interface Part {
  /** Where its messages lie. */
  segment: Segment;
  fileId: Values<typeof FILE_ID>;
  activity: Values<typeof ACTIVITY>;
  sport: Values<typeof SPORT>;
  sessions: Values<typeof SESSION>[];
  laps: Values<typeof LAP>[];
  lengths: Values<typeof LENGTH>[];
  devices: Map<string, Values<typeof DEVICE_INFO>>;
  timer: TimerEvent[];
  records: RecordSurvey;
  heartRates: HeartRates;
  /** By `developerKey`, as is the set of the developer fields that records carry. */
  descriptions: Map<number, Values<typeof FIELD_DESCRIPTION>>;
  recordDeveloperKeys: Set<number>;
}

export interface Survey {
  /** The segments with an activity in them, in file order. */
  parts: Part[];
  /** Whether a segment says that it is another kind of file: a course, settings, a workout. */
  hasOtherFileType: boolean;
  warnings: Set<FitWarning>;
}

/** A developer field's number counts within its developer's index. */
export function developerKey(developerDataIndex: number, number: number): number {
  return developerDataIndex * 256 + number;
}

export function survey(view: DataView, work: Work): Survey {
  const warnings = new Set<FitWarning>();
  const parts: Part[] = [];
  let hasOtherFileType = false;
  let sessions = 0;
  const allowance = allowanceOfFile();
  readSegments(
    view,
    warnings,
    work,
    () => new PartReader(view, allowance, work),
    (reader, segment) => {
      const { part } = reader;
      part.segment = { ...segment, end: Math.min(segment.end, reader.recordsEnd) };
      if (reader.hasMore) warnings.add("fit_truncated");
      const isActivity = (part.fileId.type ?? FILE_TYPE_ACTIVITY) === FILE_TYPE_ACTIVITY;
      hasOtherFileType ||= !isActivity;
      if (part.sessions.length > 0 || (part.records.count > 0 && isActivity)) {
        sessions += Math.max(1, part.sessions.length);
        if (!payForColumns(part, work) || sessions > MAX_SESSIONS) warnings.add("fit_truncated");
        if (sessions <= MAX_SESSIONS) parts.push(part);
      }
      // Straps that store heart rate while swimming deliver it in a segment of its own, after the activity.
      else parts.at(-1)?.heartRates.append(part.heartRates);
    },
  );
  return { parts, hasOtherFileType, warnings };
}

/**
 * Every row has a place for each developer field that some record carries. Forgets the last of them that the work
 * left does not pay for, and returns whether it paid for all.
 */
function payForColumns({ records, recordDeveloperKeys: keys }: Part, work: Work): boolean {
  const affordable = Math.floor(Math.max(0, work.left) / Math.max(1, CELL_UNITS * records.count));
  const forgotten = [...keys].slice(affordable);
  for (const key of forgotten) keys.delete(key);
  work.left -= Math.ceil(CELL_UNITS * keys.size * records.count);
  return forgotten.length === 0;
}

type Plan = ((at: number) => void) | RecordPlan;

interface RecordPlan {
  /** Without bytes, only a compressed-timestamp header can make it a record. */
  readonly isBare: boolean;
  /** What one record of it costs. */
  readonly units: number;
}

class PartReader implements MessageReader<Plan> {
  readonly part: Part = {
    segment: { start: 0, end: 0, units: 0 },
    fileId: {},
    activity: {},
    sport: {},
    sessions: [],
    laps: [],
    lengths: [],
    devices: new Map(),
    timer: [],
    records: { count: 0, firstTimestamp: -1, firstSystemTime: -1, lastSystemTime: -1, firstAbsoluteTime: -1 },
    heartRates: new HeartRates(),
    descriptions: new Map(),
    recordDeveloperKeys: new Set(),
  };
  /** Where the records end that the file may have; Infinity while it has not had them. */
  recordsEnd = Infinity;
  /** Whether something was left out because the file has too much of it. */
  hasMore = false;
  private lastTimestamp = -1;
  private readonly view: DataView;
  private readonly allowance: Allowance;
  private readonly work: Work;
  private readonly messages: ReadonlyMap<number, (definition: Definition) => Plan>;

  constructor(view: DataView, allowance: Allowance, work: Work) {
    this.view = view;
    this.allowance = allowance;
    this.work = work;
    const { part } = this;
    this.messages = new Map([
      this.on(FILE_ID, (values) => addMissing(part.fileId, values)),
      this.on(ACTIVITY, (values) => addMissing(part.activity, values)),
      this.on(SPORT, (values) => addMissing(part.sport, values)),
      this.on(SESSION, (values) => {
        if (part.sessions.length < MAX_SESSIONS) part.sessions.push(values);
        else this.hasMore = true;
      }),
      this.on(LAP, (values) => this.allow("laps") && part.laps.push(values)),
      this.on(LENGTH, (values) => this.allow("lengths") && part.lengths.push(values)),
      this.on(DEVICE_INFO, (values) => this.addDevice(values)),
      this.on(EVENT, (values) => this.addEvent(values)),
      this.on(HR, (values) => part.heartRates.add(values)),
      this.on(FIELD_DESCRIPTION, (values) => this.addDescription(values)),
    ]);
  }

  define(definition: Definition): Plan | null {
    const fields = definition.fieldCount + definition.developerFieldCount;
    if (definition.globalNumber !== RECORD.number) {
      const compile = this.messages.get(definition.globalNumber);
      if (compile === undefined) return null;
      this.work.left -= DEFINITION_UNITS + PLACED_FIELD_UNITS * fields;
      return compile(definition);
    }
    this.work.left -= DEFINITION_UNITS + PLACED_FIELD_UNITS * fields;
    const keys = this.part.recordDeveloperKeys;
    for (const { developerDataIndex, number } of placeDeveloperFields(this.view, definition)) {
      if (keys.size < MAX_DEVELOPER_FIELDS) keys.add(developerKey(developerDataIndex, number));
    }
    return { isBare: definition.size === 0, units: RECORD_UNITS + Math.min(fields, definition.size) };
  }

  read(plan: Plan, at: number, timestamp: number): void {
    if (typeof plan === "function") plan(at);
    else if (!plan.isBare || timestamp >= 0) {
      if (this.allow("records")) {
        this.work.left -= plan.units;
        this.countRecord(timestamp);
      } else this.recordsEnd = Math.min(this.recordsEnd, at);
    }
  }

  private allow(kind: keyof Allowance): boolean {
    if (this.allowance[kind] > 0) {
      this.allowance[kind] -= 1;
      return true;
    }
    this.hasMore = true;
    return false;
  }

  private on<F extends Fields>(
    message: Message<F>,
    take: (values: Decoded<F>) => void,
  ): [number, (definition: Definition) => Plan] {
    return [
      message.number,
      (definition) => {
        const plan: MessagePlan<F> = compileMessage(this.view, definition, message);
        return (at) => {
          this.work.left -= plan.units;
          take(decodeMessage(this.view, plan, at));
        };
      },
    ];
  }

  private countRecord(timestamp: number): void {
    const { records } = this.part;
    records.count++;
    if (timestamp < 0) return;
    if (timestamp < this.lastTimestamp) this.work.left -= LEAP_UNITS;
    this.lastTimestamp = timestamp;
    if (records.firstTimestamp < 0) records.firstTimestamp = timestamp;
    if (!isSystemTime(timestamp)) {
      if (records.firstAbsoluteTime < 0) records.firstAbsoluteTime = timestamp;
    } else {
      if (records.firstSystemTime < 0) records.firstSystemTime = timestamp;
      if (records.firstAbsoluteTime < 0) records.lastSystemTime = timestamp;
    }
  }

  /** A device reports again and again, each time with some of its fields: one entry a device. */
  private addDevice(values: Values<typeof DEVICE_INFO>): void {
    const { devices } = this.part;
    const key =
      values.device_index === undefined
        ? `${values.manufacturer}/${values.product}/${values.serial_number}`
        : String(values.device_index);
    const known = devices.get(key);
    if (known !== undefined) addMissing(known, values);
    else if (devices.size < MAX_DEVICES) devices.set(key, values);
  }

  private addEvent({ timestamp, event, event_type }: Values<typeof EVENT>): void {
    if (event !== EVENT_TIMER || timestamp === undefined || event_type === undefined) return;
    const running = event_type === EVENT_TYPE_START;
    if (running || EVENT_TYPES_STOP.has(event_type)) {
      if (this.allow("timerEvents")) this.part.timer.push({ timestamp, running });
    }
  }

  private addDescription(values: Values<typeof FIELD_DESCRIPTION>): void {
    const { descriptions } = this.part;
    if (values.developer_data_index === undefined || values.field_definition_number === undefined) return;
    const key = developerKey(values.developer_data_index, values.field_definition_number);
    if (!descriptions.has(key) && this.allow("descriptions")) descriptions.set(key, values);
  }
}

/** Adds what `known` lacks: the first value of a field stands. */
function addMissing<T extends object>(known: T, values: T): void {
  Object.assign(known, { ...values, ...known });
}
