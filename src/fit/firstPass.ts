import { isSystemTime, type RecordTimes } from "./clock.ts";
import { compileMessage, decodeMessage, developerFieldPositions, type MessagePlan } from "./decode.ts";
import { DeveloperFields } from "./developerFields.ts";
import type { DeveloperMessage } from "./developerValues.ts";
import { Devices } from "./devices.ts";
import { readChainedFiles, type Definition, type MessageRange, type MessageReader } from "./frame.ts";
import { HeartRates } from "./heartRates.ts";
import {
  ACTIVITY,
  CADENCE_ZONE,
  DEVELOPER_DATA_ID,
  DEVICE_INFO,
  EVENT,
  EVENT_RECOVERY_HEART_RATE,
  EVENT_TIMER,
  EVENT_TYPES_STOP,
  EVENT_TYPE_START,
  FIELD_DESCRIPTION,
  FILE_ID,
  FILE_TYPE_ACTIVITY,
  FILE_TYPE_WORKOUT,
  HR,
  HR_ZONE,
  LAP,
  LENGTH,
  POWER_ZONE,
  RECORD,
  SESSION,
  SET,
  SPEED_ZONE,
  SPORT,
  TIME_IN_ZONE,
  USER_PROFILE,
  WORKOUT,
  ZONES_TARGET,
  type Decoded,
  type Fields,
  type Message,
  type Values,
} from "./profile.ts";
import { GAP_SECONDS, LONGEST_PAUSE_SECONDS, RecordRuns, type RecordGap } from "./recordRuns.ts";
import { compileRr, countRr, RR_MESSAGES, RrEntries } from "./rrMessages.ts";
import { RR_SOURCES, type FitWarning } from "./types.ts";
import { heartRate } from "./values.ts";
import {
  CELL_UNITS,
  DEFINITION_UNITS,
  GAP_UNITS,
  LEAP_UNITS,
  PLACED_FIELD_UNITS,
  RECORD_UNITS,
  RR_RECORD_UNITS,
  TEXT_UNITS,
  type WorkBudget,
} from "./workBudget.ts";

/**
 * First pass: reads everything but the values of records. Sessions usually follow the records and field descriptions can
 * come late, so records are read in a second pass.
 */

/** Limits that no training file reaches. They bound the memory and time that a hostile file can use. */
export const MAX_SESSIONS = 100;

/** Numbers of messages that the rest of the file may contain, over all chained files. */
interface Remaining {
  records: number;
  laps: number;
  lengths: number;
  timerEvents: number;
  descriptions: number;
  gaps: number;
  sports: number;
  sets: number;
  zones: number;
  deviceZones: number;
  zonesTargets: number;
  developerValues: number;
  recoveryHeartRates: number;
}

/**
 * Returns the limits of a file: five weeks at one record per second; laps, lengths and sets that as JSON (about 1,800, 270
 * and 250 bytes each) stay below 4 MB in a response; descriptions for all developer fields of a dozen apps.
 */
function limitsOfFile(): Remaining {
  return {
    records: 3_000_000,
    laps: 1_000,
    lengths: 4_000,
    timerEvents: 10_000,
    descriptions: 4_096,
    gaps: 20_000,
    sports: MAX_SESSIONS,
    sets: 1_000,
    zones: 1_100,
    deviceZones: 256,
    zonesTargets: MAX_SESSIONS,
    developerValues: 4_000,
    recoveryHeartRates: 1_000,
  };
}

/** Times in FIT seconds or seconds since power-on; -1 for none. */
export interface RecordCounts extends RecordTimes {
  count: number;
  firstTimestamp: number;
}

export interface TimerEvent {
  timestamp: number;
  running: boolean;
}

export type ZoneBound = Values<typeof HR_ZONE>;
/** Upper bounds of the zones that are set on the device, in messages of their own. */
export interface DeviceZones {
  heartRate: ZoneBound[];
  power: ZoneBound[];
  speed: ZoneBound[];
  cadence: ZoneBound[];
}

/** Contents of one chained file without the values of its records. */
export interface ChainedFile {
  /** Byte range of its messages. */
  messages: MessageRange;
  fileId: Values<typeof FILE_ID>;
  activity: Values<typeof ACTIVITY>;
  /** Sport of the first `sport` message; `sports` has all of them. */
  sport: Values<typeof SPORT>;
  sports: Values<typeof SPORT>[];
  workout: Values<typeof WORKOUT>;
  recoveryHeartRates: { timestamp: number; heartRate: number }[];
  sessions: Values<typeof SESSION>[];
  laps: Values<typeof LAP>[];
  lengths: Values<typeof LENGTH>[];
  sets: Values<typeof SET>[];
  userProfile: Values<typeof USER_PROFILE>;
  zonesTargets: Values<typeof ZONES_TARGET>[];
  /** Time in zones of sessions and laps. */
  zones: Values<typeof TIME_IN_ZONE>[];
  deviceZones: DeviceZones;
  /** Developer fields of session and lap messages. */
  developerMessages: Map<object, DeveloperMessage>;
  devices: Devices;
  timer: TimerEvent[];
  records: RecordCounts;
  runs: RecordRuns;
  /** Longer times between two records, in which the timer may have been stopped. */
  gaps: RecordGap[];
  heartRates: HeartRates;
  developerFields: DeveloperFields;
  /** Numbers of the native fields in records. */
  recordFields: Set<number>;
  rr: RrCounts;
}

/** Beat-to-beat intervals are only counted. `rrIntervals.ts` reads them again. */
export interface RrCounts {
  /** Number of intervals by source, in the order of `RR_SOURCES`. */
  counts: number[];
  /** Messages of later chained files without a session, which belong to this one. */
  laterMessages: MessageRange[];
}

export interface FirstPass {
  /** Chained files that contain an activity, in file order. */
  chainedFiles: ChainedFile[];
  /** Whether a chained file has another type: a course, settings, a workout. */
  hasOtherFileType: boolean;
  warnings: Set<FitWarning>;
}

export function readFirstPass(view: DataView, work: WorkBudget): FirstPass {
  const warnings = new Set<FitWarning>();
  const chainedFiles: ChainedFile[] = [];
  let hasOtherFileType = false;
  /** The athlete's settings, which some devices write in a chained file of their own. */
  const settings: AthleteSettings = { userProfile: {}, zonesTargets: [] };
  let sessions = 0;
  const remaining = limitsOfFile();
  readChainedFiles(
    view,
    warnings,
    work,
    () => new FirstPassReader(view, remaining, work),
    (reader, range) => {
      const { chained } = reader;
      chained.messages = { ...range, end: Math.min(range.end, reader.recordsEnd) };
      if (reader.exceedsLimit) warnings.add("fit_truncated");
      const { type = FILE_TYPE_ACTIVITY } = chained.fileId;
      const isActivity = type === FILE_TYPE_ACTIVITY;
      hasOtherFileType ||= !isActivity;
      const hasRecords = chained.records.count > 0;
      // A workout file without records is a plan.
      const hasSession = chained.sessions.length > 0 && (hasRecords || type !== FILE_TYPE_WORKOUT);
      if (hasSession || (hasRecords && isActivity)) {
        sessions += Math.max(1, chained.sessions.length);
        const isComplete = countColumnWork(chained, work) && countRrWork(chained, work);
        if (!isComplete || sessions > MAX_SESSIONS) warnings.add("fit_truncated");
        if (sessions <= MAX_SESSIONS) chainedFiles.push(chained);
      }
      // Straps that store heart rate during a swim deliver it in a chained file of its own after the activity.
      else appendStored(chainedFiles.at(-1), chained);
      if (!hasSession && !hasRecords) addSettings(settings, chained);
    },
  );
  for (const chained of chainedFiles) addSettings(chained, settings);
  return { chainedFiles, hasOtherFileType, warnings };
}

/** Adds the heart rates and intervals of a chained file without an activity to the one before it. */
function appendStored(before: ChainedFile | undefined, { heartRates, rr, messages }: ChainedFile): void {
  if (before === undefined) return;
  before.heartRates.append(heartRates);
  if (rr.counts.every((count) => count === 0)) return;
  before.rr.counts = before.rr.counts.map((count, source) => count + (rr.counts[source] ?? 0));
  before.rr.laterMessages.push(messages);
}

/** Counts the work of placing intervals by the records. Without the budget for it the file has no intervals. */
function countRrWork({ records, rr }: ChainedFile, work: WorkBudget): boolean {
  if (rr.counts.every((count) => count === 0)) return true;
  const units = RR_RECORD_UNITS * records.count;
  const isAffordable = work.left >= units;
  if (isAffordable) work.left -= units;
  else rr.counts.fill(0);
  return isAffordable;
}

type AthleteSettings = Pick<ChainedFile, "userProfile" | "zonesTargets">;

function addSettings(known: AthleteSettings, { userProfile, zonesTargets }: AthleteSettings): void {
  addMissing(known.userProfile, userProfile);
  if (known.zonesTargets.length === 0) known.zonesTargets = zonesTargets;
}

/**
 * Makes the developer columns and counts their work: every row has a cell in each of them. Returns whether the budget was
 * enough for all.
 */
function countColumnWork({ records, developerFields }: ChainedFile, work: WorkBudget): boolean {
  const affordable = Math.floor(Math.max(0, work.left) / Math.max(1, CELL_UNITS * records.count));
  const isComplete = developerFields.makeColumns(affordable);
  work.left -= Math.ceil(CELL_UNITS * developerFields.columns.length * records.count);
  return isComplete;
}

type Plan = ((at: number) => void) | RecordPlan;

interface RecordPlan {
  /** Whether messages have no fields. They count as records only with a compressed-timestamp header. */
  readonly isBare: boolean;
  /** Cost of one record. */
  readonly units: number;
  /** Number of changes of developer fields for which the cost of compiling is counted. */
  changes: number;
  readonly compileUnits: number;
}

class FirstPassReader implements MessageReader<Plan> {
  readonly chained: ChainedFile = {
    messages: { start: 0, end: 0, units: 0 },
    fileId: {},
    activity: {},
    sport: {},
    sports: [],
    workout: {},
    recoveryHeartRates: [],
    sessions: [],
    laps: [],
    lengths: [],
    sets: [],
    userProfile: {},
    zonesTargets: [],
    zones: [],
    deviceZones: { heartRate: [], power: [], speed: [], cadence: [] },
    developerMessages: new Map(),
    devices: new Devices(),
    timer: [],
    records: { count: 0, firstTimestamp: -1, firstSystemTime: -1, lastSystemTime: -1, firstAbsoluteTime: -1 },
    runs: new RecordRuns(),
    gaps: [],
    heartRates: new HeartRates(),
    developerFields: new DeveloperFields(),
    recordFields: new Set(),
    rr: { counts: RR_SOURCES.map(() => 0), laterMessages: [] },
  };
  /** Where the records within the limit end; Infinity below the limit. */
  recordsEnd = Infinity;
  /** Whether messages beyond a limit were skipped. */
  exceedsLimit = false;
  private lastTimestamp = NaN;
  private readonly view: DataView;
  private readonly remaining: Remaining;
  private readonly work: WorkBudget;
  private readonly messages: ReadonlyMap<number, (definition: Definition) => Plan | null>;
  private readonly rrEntries = new RrEntries();

  constructor(view: DataView, remaining: Remaining, work: WorkBudget) {
    this.view = view;
    this.remaining = remaining;
    this.work = work;
    const { chained } = this;
    this.messages = new Map([
      this.on(FILE_ID, (values) => {
        addMissing(chained.fileId, values);
        chained.devices.addCreator(chained.fileId);
      }),
      this.on(ACTIVITY, (values) => addMissing(chained.activity, values)),
      this.on(SPORT, (values) => {
        addMissing(chained.sport, values);
        if (this.allow("sports")) chained.sports.push(values);
      }),
      this.on(WORKOUT, (values) => addMissing(chained.workout, values)),
      this.onSummary(SESSION, (values) => {
        const isAllowed = chained.sessions.length < MAX_SESSIONS;
        if (isAllowed) chained.sessions.push(values);
        else this.exceedsLimit = true;
        return isAllowed;
      }),
      this.onSummary(LAP, (values) => this.allow("laps") && chained.laps.push(values) > 0),
      this.on(SET, (values) => this.allow("sets") && chained.sets.push(values)),
      this.on(USER_PROFILE, (values) => addMissing(chained.userProfile, setValuesOf(values))),
      this.on(ZONES_TARGET, (values) => this.allow("zonesTargets") && chained.zonesTargets.push(values)),
      this.on(TIME_IN_ZONE, (values) => {
        const { reference_mesg: about = SESSION.number } = values;
        const isNeeded = about === SESSION.number || about === LAP.number;
        if (isNeeded && this.allow("zones")) chained.zones.push(values);
      }),
      ...this.onDeviceZones(),
      this.on(LENGTH, (values) => this.allow("lengths") && chained.lengths.push(values)),
      this.on(DEVICE_INFO, (values) => chained.devices.add(values)),
      this.on(EVENT, (values) => this.addEvent(values)),
      this.on(HR, (values) => chained.heartRates.add(values)),
      this.on(DEVELOPER_DATA_ID, (values, at) => chained.developerFields.addApplication(values, at)),
      this.on(FIELD_DESCRIPTION, (values, at) => this.addDescription(values, at)),
      ...Array.from(RR_MESSAGES.keys(), (number) => this.onRr(number)),
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
    const { recordFields, developerFields } = this.chained;
    for (let i = 0; i < definition.fieldCount; i++) {
      recordFields.add(this.view.getUint8(definition.fieldsAt + 3 * i));
    }
    developerFields.addRecordFields(developerFieldPositions(this.view, definition), definition.fieldsAt);
    return {
      isBare: definition.size === 0,
      units: RECORD_UNITS + Math.min(fields, definition.size),
      changes: developerFields.changes.length,
      compileUnits: DEFINITION_UNITS + PLACED_FIELD_UNITS * fields,
    };
  }

  read(plan: Plan, at: number, timestamp: number): void {
    if (typeof plan === "function") plan(at);
    else if (!plan.isBare || timestamp >= 0) {
      // Not through `allow`: its computed property is slow, and this line runs for every record.
      if (this.remaining.records > 0) {
        this.remaining.records -= 1;
        this.work.left -= plan.units;
        if (plan.changes !== this.chained.developerFields.changes.length) this.countCompilation(plan);
        this.countRecord(timestamp);
      } else {
        this.exceedsLimit = true;
        this.recordsEnd = Math.min(this.recordsEnd, at);
      }
    }
  }

  private allow(kind: keyof Remaining): boolean {
    if (this.remaining[kind] > 0) {
      this.remaining[kind] -= 1;
      return true;
    }
    this.exceedsLimit = true;
    return false;
  }

  private on<F extends Fields>(
    message: Message<F>,
    add: (values: Decoded<F>, at: number) => void,
  ): [number, (definition: Definition) => Plan] {
    return [
      message.number,
      (definition) => {
        const plan: MessagePlan<F> = compileMessage(this.view, definition, message);
        return (at) => {
          this.work.left -= plan.units;
          add(decodeMessage(this.view, plan, at), at);
        };
      },
    ];
  }

  private onRr(number: number): [number, (definition: Definition) => Plan | null] {
    return [
      number,
      (definition) => {
        const plan = compileRr(this.view, definition);
        if (plan === null) return null;
        const { counts } = this.chained.rr;
        return (at) => {
          this.work.left -= plan.units;
          counts[plan.source] = (counts[plan.source] ?? 0) + countRr(this.view, plan, at, this.rrEntries);
        };
      },
    ];
  }

  /** Like `on`, and keeps the developer fields of messages for which `add` returns true. */
  private onSummary<F extends Fields>(
    message: Message<F>,
    add: (values: Decoded<F>) => boolean,
  ): [number, (definition: Definition) => Plan] {
    return [
      message.number,
      (definition) => {
        const plan: MessagePlan<F> = compileMessage(this.view, definition, message);
        const positions = developerFieldPositions(this.view, definition);
        const { littleEndian } = definition;
        return (at) => {
          this.work.left -= plan.units;
          const values = decodeMessage(this.view, plan, at);
          if (add(values) && positions.length > 0)
            this.keepDeveloperFields(values, { view: this.view, at, littleEndian, positions });
        };
      },
    ];
  }

  private keepDeveloperFields(values: object, message: DeveloperMessage): void {
    const { positions } = message;
    if (positions.length > this.remaining.developerValues) {
      this.exceedsLimit = true;
      return;
    }
    this.remaining.developerValues -= positions.length;
    for (const { size } of positions) this.work.left -= TEXT_UNITS + size;
    this.chained.developerMessages.set(values, message);
  }

  private onDeviceZones() {
    const { heartRate: heartRates, power, speed, cadence } = this.chained.deviceZones;
    const lists = [
      [HR_ZONE, heartRates],
      [POWER_ZONE, power],
      [SPEED_ZONE, speed],
      [CADENCE_ZONE, cadence],
    ] as const;
    return lists.map(([message, zones]) =>
      this.on(message, (values) => this.allow("deviceZones") && zones.push(values)),
    );
  }

  /** The second pass compiles a definition again when the meaning of a developer field has changed. */
  private countCompilation(plan: RecordPlan): void {
    plan.changes = this.chained.developerFields.changes.length;
    this.work.left -= plan.compileUnits;
  }

  private countRecord(timestamp: number): void {
    const { records, runs } = this.chained;
    records.count++;
    if (timestamp < 0) return;
    const step = timestamp - this.lastTimestamp;
    if (step < 0 || step > GAP_SECONDS) this.countStep(timestamp, step);
    this.lastTimestamp = timestamp;
    runs.add(timestamp);
    if (records.firstTimestamp < 0) records.firstTimestamp = timestamp;
    if (!isSystemTime(timestamp)) {
      if (records.firstAbsoluteTime < 0) records.firstAbsoluteTime = timestamp;
    } else {
      if (records.firstSystemTime < 0) records.firstSystemTime = timestamp;
      if (records.firstAbsoluteTime < 0) records.lastSystemTime = timestamp;
    }
  }

  private countStep(timestamp: number, step: number): void {
    this.work.left -= step < 0 ? LEAP_UNITS : GAP_UNITS;
    if (step > GAP_SECONDS && step <= LONGEST_PAUSE_SECONDS && this.remaining.gaps > 0) {
      this.remaining.gaps -= 1;
      this.chained.gaps.push({ from: this.lastTimestamp, to: timestamp });
    }
  }

  private addEvent({ timestamp, event, event_type, data, data16 }: Values<typeof EVENT>): void {
    if (event === EVENT_RECOVERY_HEART_RATE && timestamp !== undefined) {
      const measured = heartRate(data ?? data16 ?? NaN);
      if (!Number.isNaN(measured) && this.allow("recoveryHeartRates"))
        this.chained.recoveryHeartRates.push({ timestamp, heartRate: measured });
    }
    if (event !== EVENT_TIMER || timestamp === undefined || event_type === undefined) return;
    const running = event_type === EVENT_TYPE_START;
    if (running || EVENT_TYPES_STOP.has(event_type)) {
      if (this.allow("timerEvents")) this.chained.timer.push({ timestamp, running });
    }
  }

  private addDescription(values: Values<typeof FIELD_DESCRIPTION>, at: number): void {
    const { developerFields } = this.chained;
    if (values.developer_data_index === undefined || values.field_definition_number === undefined) return;
    if (developerFields.isNew(values) && this.allow("descriptions"))
      developerFields.addDescription(values, at);
  }
}

/** Returns the settings of a message that are set: devices write 0 for others. */
function setValuesOf(values: Values<typeof USER_PROFILE>): Values<typeof USER_PROFILE> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== 0));
}

/** Adds fields that `known` lacks. Existing values are kept. */
function addMissing<T extends object>(known: T, values: T): void {
  Object.assign(known, { ...values, ...known });
}
