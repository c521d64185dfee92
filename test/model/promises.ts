import { databaseFor } from "../../src/database/databases.ts";
import { createHash } from "node:crypto";
import { z } from "zod";
import { parseSummary } from "../../src/activities/storedSummary.pure.ts";
import { isSameSubmission } from "../../src/collector/files/submission.pure.ts";
import { projectionOf } from "../../src/collector/files/projection.pure.ts";
import { identityOf } from "../../src/collector/identity.ts";
import { parseEdits } from "../../src/files/edits.pure.ts";
import { INLINE_PREFIX, versionKey } from "../../src/files/objectKeys.ts";
import { userHash, userRoute } from "../../src/identifiers.ts";
import { current } from "./invocations.ts";
import { markOf } from "./outside.ts";
import type { Ledger } from "./platform.ts";
import { USERS, type CollectorEdit, type CollectorPing, type World } from "./world.ts";

const fileRow = z.object({
  file_id: z.string(),
  user_id: z.string(),
  source: z.string(),
  status: z.enum(["held", "queued", "imported", "failed", "skipped"]),
  attempts: z.number(),
  import_id: z.string().nullable(),
  error: z.string().nullable(),
  version: z.number(),
  stored_version: z.number().nullable(),
  object_key: z.string().nullable(),
  failed_object_key: z.string().nullable(),
  sha256: z.string().nullable(),
  activity_count: z.number(),
  edits: z.string().nullable(),
});
const activityRow = z.object({
  file_id: z.string(),
  version: z.number(),
  summary: z.string(),
});
const importRow = z.object({
  import_id: z.string(),
  user_id: z.string(),
  event_id: z.string().nullable(),
  status: z.string(),
  total: z.number(),
  imported: z.number(),
  skipped: z.number(),
  failed: z.number(),
  requested_at: z.number(),
  completed_at: z.number().nullable(),
});
const deliveryRow = z.object({
  delivery_id: z.string(),
  user_id: z.string(),
  import_id: z.string(),
  kind: z.string(),
  status: z.string(),
  created_at: z.number(),
});

/** All readable and stored data once the world is quiet. */
interface Remains {
  ledgers: { name: string; user: string; source: string; ledger: Ledger }[];
  files: z.infer<typeof fileRow>[];
  activities: z.infer<typeof activityRow>[];
  imports: z.infer<typeof importRow>[];
  deliveries: z.infer<typeof deliveryRow>[];
  users: { user_id: string }[];
  usage: { files: number; stored_bytes: number; removal_bytes: number }[];
  /** Size of the records of deletions and erasures. */
  removalBytes: number;
  objects: Map<string, Uint8Array>;
  /** Bounds by user: everything up to this version is erased. */
  bounds: Map<string, number>;
}

async function gather(world: World): Promise<Remains> {
  const { env } = world.platform;
  const partnerId = world.partner.partner_id;
  const database = databaseFor(env, world.partner);
  const rows = async <T extends z.ZodType>(table: string, schema: T): Promise<z.infer<T>[]> => {
    const found = await database.prepare(`SELECT * FROM ${table} WHERE partner_id = ?`).bind(partnerId).all();
    return z.array(schema).parse(found.results);
  };
  const ledgers = [];
  for (const collector of world.collectors()) {
    if (!world.called.has(collector.name)) continue;
    ledgers.push({ ...collector, ledger: await world.platform.look(collector.name) });
  }
  const objects = new Map<string, Uint8Array>();
  // A list ends after a page, and inline bytes of all partners share a prefix. Those were recorded when they were put.
  const listed = await env.FILES.list({ prefix: `${partnerId}/` });
  const inline = [...world.objects.keys()].filter((key) => key.startsWith(INLINE_PREFIX));
  for (const key of [...listed.objects.map((object) => object.key), ...inline]) {
    const object = await env.FILES.get(key);
    if (object !== null) objects.set(key, new Uint8Array(await object.arrayBuffer()));
  }
  const batches = await rows(
    "file_batches",
    z.object({ removed: z.string().nullable(), file_ids: z.string() }),
  );
  const removals = batches.filter(({ removed }) => removed !== null);
  const deleted = await rows("deleted_files", z.object({ file_id: z.string() }));
  const erased = await rows("erased", z.object({ user_hash: z.string(), before_version: z.number() }));
  return {
    ledgers,
    files: await rows("files", fileRow),
    activities: await rows("activities", activityRow),
    imports: await rows("imports", importRow),
    deliveries: await rows("deliveries", deliveryRow),
    users: await rows("users", z.object({ user_id: z.string() })),
    usage: await rows(
      "partner_usage",
      z.object({ files: z.number(), stored_bytes: z.number(), removal_bytes: z.number() }),
    ),
    removalBytes:
      removals.reduce((sum, { file_ids }) => sum + 300 + file_ids.length, 0) +
      200 * deleted.length +
      400 * erased.length,
    objects,
    bounds: new Map(
      USERS.map((user) => [
        user,
        erased.find((row) => row.user_hash === userHash(partnerId, user))?.before_version ?? 0,
      ]),
    ),
  };
}

/** Checks every promise that must hold once all is quiet. Records broken ones in the world. */
export async function checkPromises(world: World): Promise<void> {
  const remains = await current.exit(() => gather(world));
  nothingWaits(world, remains);
  filesAreSettled(world, remains);
  newestPingWins(world, remains);
  sequencesHold(world);
  lastEditsHold(world, remains);
  tasksRelease(world, remains);
  importsComplete(world, remains);
  bytesAreThere(world, remains);
  heldAreDownloaded(world, remains);
  erasedIsGone(world, remains);
  deletedIsGone(world, remains);
  usageIsCounted(world, remains);
  await feedsAreComplete(world);
}

/** Checks that a program that reads only the lists of changes ends with exactly what the other lists return. */
async function feedsAreComplete(world: World): Promise<void> {
  // Lists of changes omit rows of the database's current millisecond, and its clock may be the real one.
  await new Promise((resolve) => setTimeout(resolve, 2));
  await current.exit(async () => {
    for (const reader of world.readers) {
      await reader.readAll(world.skewed);
      for (const difference of await reader.differences()) {
        world.break(`a reader of the lists of changes ends with the state of the server: ${difference}`);
      }
    }
  });
}

/** Checks that nothing of a deleted file stays, unless it may have been pinged again, and that a known file can be deleted. */
function deletedIsGone(world: World, { ledgers, files, activities }: Remains): void {
  for (const deletion of world.deletions) {
    const { file_id, from, to, done } = deletion;
    const pings = world.pings.filter((ping) => ping.file_id === file_id);
    if (done === true && !pings.some((ping) => ping.to > from)) {
      const traces = [
        ...files.filter((row) => row.file_id === file_id).map(() => "file"),
        ...activities.filter((row) => row.file_id === file_id).map(() => "activity"),
        ...ledgers
          .flatMap(({ ledger }) => ledger.files.filter((row) => row.file_id === file_id))
          .map(() => "ledger row"),
      ];
      if (traces.length > 0) world.break(`nothing of a deleted file stays: ${traces.join(", ")}`);
    }
    const wasPinged = pings.some((ping) => ping.answered !== null && ping.answered < from);
    const user = world.collectors().find(({ name }) => name === pings[0]?.collector)?.user;
    const removed = [
      ...world.deletions.filter((other) => other !== deletion && other.file_id === file_id),
      ...world.erasures.filter((erasure) => erasure.user === user),
    ].some((other) => other.from < to);
    if (done === false && wasPinged && !removed) world.break("a file whose ping was accepted can be deleted");
  }
}

/** Checks that the counted usage of a partner matches its rows and objects. */
function usageIsCounted(world: World, { files, usage: [counted], objects, removalBytes }: Remains): void {
  const keys = files.flatMap((file) => [file.object_key, file.failed_object_key]);
  const bytes = keys.reduce((sum, key) => sum + (key === null ? 0 : (objects.get(key)?.length ?? 0)), 0);
  if ((counted?.files ?? 0) !== files.length) world.break("a partner's files are counted exactly");
  if ((counted?.stored_bytes ?? 0) !== bytes) world.break("a partner's stored bytes are counted exactly");
  if ((counted?.removal_bytes ?? 0) !== removalBytes)
    world.break("the records of a partner's deletions are counted exactly");
}

function nothingWaits(world: World, { ledgers, deliveries }: Remains): void {
  for (const { user, source, ledger } of ledgers) {
    if (ledger.dispatches.length > 0) world.break(`no dispatch is left (${user}/${source})`);
    if (ledger.outbox.length > 0) world.break(`no outbox entry is left (${user}/${source})`);
    if (ledger.prefetches.length > 0) world.break(`no held file waits for its download (${user}/${source})`);
    if (ledger.files.some((file) => file.current?.state === "queued"))
      world.break(`no file stays queued (${user}/${source})`);
  }
  for (const delivery of deliveries) {
    if (delivery.status !== "delivered" && delivery.status !== "recorded" && delivery.status !== "failed") {
      world.break(`no delivery stays ${delivery.status}`);
    }
  }
}

function filesAreSettled(
  world: World,
  { ledgers, files, activities, bounds, objects, users }: Remains,
): void {
  const known = new Set<string>();
  for (const { user, source, ledger } of ledgers) {
    const owner = identityOf({ partner_id: world.partner.partner_id, user_id: user, source });
    for (const row of ledger.files) {
      known.add(row.file_id);
      const says = projectionOf(owner, row);
      const read = files.find((file) => file.file_id === row.file_id);
      if (says === null || read === undefined) {
        world.break(`a file of the collector can be read (${user}/${source}/${row.summary_id})`);
        continue;
      }
      const { status, attempts, import_id, error, version } = read;
      const readAs = {
        status,
        attempts,
        import_id,
        error: error === null ? null : z.json().parse(JSON.parse(error)),
        version,
      };
      const saysIt = {
        status: says.status,
        attempts: says.attempts,
        import_id: says.import_id,
        error: says.error === null ? null : z.json().parse(JSON.parse(JSON.stringify(says.error))),
        version: says.version,
      };
      if (JSON.stringify(readAs, sorted) !== JSON.stringify(saysIt, sorted)) {
        world.break(
          `collector and read model agree: ${JSON.stringify(saysIt)} is read as ${JSON.stringify(readAs)}`,
        );
      }
      if ((read.status === "failed" || read.status === "skipped") && read.error === null)
        world.break("a failed or skipped file has a reason");
      if (read.status === "skipped" && !world.cancelled.has(read.import_id ?? ""))
        world.break("only a cancellation leaves a file skipped");
      if (row.current?.state === "imported" && read.stored_version !== row.current.version)
        world.break("a file that is counted as imported is readable");
      if (!users.some(({ user_id }) => user_id === user))
        world.break(`a user with files can be read (${user})`);
    }
  }
  for (const file of files) {
    if (!known.has(file.file_id)) world.break(`a readable file is known to its collector (${file.status})`);
    const own = activities.filter((activity) => activity.file_id === file.file_id);
    if (own.length !== file.activity_count) world.break("all activities of a file are readable");
    if (file.stored_version === null) continue;
    const stored = world.claimed.get(`${file.file_id}/${file.stored_version}`);
    for (const activity of own) {
      const summary = parseSummary(activity.summary);
      const mark = markOf({
        average_heart_rate: summary.average_heart_rate_in_beats_per_minute,
        elapsed_time: summary.elapsed_time_in_seconds,
      });
      if (mark !== stored?.mark)
        world.break(`an activity belongs to its version: ${mark} instead of ${stored?.mark}`);
      if (activity.version !== file.stored_version) world.break("no activity of another version stays");
    }
    const bytes = file.object_key === null ? undefined : objects.get(file.object_key);
    if (bytes === undefined) world.break("a readable file's bytes are stored");
    else {
      if (stored !== undefined && Buffer.compare(bytes, stored.bytes) !== 0)
        world.break("the stored bytes are those of the readable version");
      if (createHash("sha256").update(bytes).digest("hex") !== file.sha256)
        world.break("sha256 matches the stored bytes");
    }
  }
  for (const { file_id, user, from } of world.answered) {
    if (known.has(file_id)) continue;
    const erasedLater = world.erasures.some((erasure) => erasure.user === user && erasure.to > from);
    if (world.deletions.some((deletion) => deletion.file_id === file_id && deletion.to > from)) continue;
    if (!erasedLater && !mayMissErasure(world))
      world.break(`an accepted ping's file is not lost (bound ${bounds.get(user)})`);
  }
}

/**
 * Returns whether an erasure may cover a later ping or task. After a D1 fault an erasure may not reach a collector,
 * which then cannot know what came later, if another clock is behind or another store was down as well.
 */
function mayMissErasure(world: World): boolean {
  const { met } = world.faults;
  const unvisited = met.has("r2.delete") || met.has("r2.list") || met.has("rpc");
  return met.has("d1") && (world.skewed || unvisited);
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Returns the pings of a file that may be the last accepted one: no other was certainly accepted after them. */
function lastAccepted(pings: readonly CollectorPing[]): CollectorPing[] {
  const taken = pings.filter((ping) => ping.status === "queued" || ping.status === "held");
  const unknown = pings.filter((ping) => ping.status === null);
  return [...taken, ...unknown].filter((ping) => !taken.some((other) => other.from > ping.to));
}

function newestPingWins(world: World, { ledgers, files, bounds }: Remains): void {
  for (const { user, ledger, name } of ledgers) {
    for (const row of ledger.files) {
      const newest = row.held ?? row.current;
      const pings = world.pings.filter((ping) => ping.file_id === row.file_id && ping.collector === name);
      const candidates = lastAccepted(pings);
      const last = candidates.find(
        (ping) => newest !== null && isSameSubmission(ping.submission, newest.submission),
      );
      if (last === undefined) {
        world.break(
          `the newest ping wins (${user}/${row.summary_id}: ${candidates.map((ping) => ping.content.mark).join()})`,
        );
        continue;
      }
      const read = files.find((file) => file.file_id === row.file_id);
      if (row.current?.state === "failed" && row.held === null && last.gives && last.content.good) {
        const { fault } = row.current;
        const excused =
          (fault?.code === "import_cancelled" && world.cancelled.has(row.current.import_id ?? "")) ||
          fault?.code === "callback_gone" ||
          fault?.code === "held_expired" ||
          fault?.code === "internal";
        if (!excused) world.break(`a good file is imported (${fault?.code})`);
      }
      if (row.current?.state === "imported" && row.held === null && read?.stored_version != null) {
        const stored = world.claimed.get(`${row.file_id}/${read.stored_version}`);
        if (stored?.mark !== last.content.mark)
          world.break(
            `the imported file is that of the newest ping: ${stored?.mark} instead of ${last.content.mark}`,
          );
      }
    }
    // A duplicate starts no work, so nothing may be lost by it.
    for (const ping of world.pings) {
      if (ping.collector !== name || ping.status !== "duplicate" || !ping.overwrite) continue;
      const before = world.pings.filter(
        (other) => other.file_id === ping.file_id && other.from <= ping.to && other !== ping,
      );
      if (!before.some((other) => isSameSubmission(other.submission, ping.submission)))
        world.break("an overwriting ping is a duplicate only of an equal ping");
    }
  }
  void bounds;
}

/** Checks that names, sports and exclusions are what the last edits say, in the collector and in the read model. */
function lastEditsHold(world: World, { ledgers, files }: Remains): void {
  for (const { user, ledger } of ledgers) {
    for (const { file_id, edits } of ledger.files) {
      const read = parseEdits(files.find((file) => file.file_id === file_id)?.edits ?? null);
      if (JSON.stringify(read) !== JSON.stringify(edits))
        world.break(`the read model has the edits of the collector: ${JSON.stringify([read, edits])}`);
      const deletions = world.deletions.filter((deletion) => deletion.file_id === file_id);
      const erasures = world.erasures.filter((erasure) => erasure.user === user);
      const mayBeRemoved = ({ from }: CollectorEdit) =>
        [...deletions.filter(({ done }) => done !== false), ...erasures].some(({ to }) => to > from);
      const isDeleted = ({ to }: CollectorEdit) =>
        deletions.some(({ done, from }) => done === true && from > to);
      for (const field of ["activity_name", "sport", "exclude_from_training"] as const) {
        const own = world.edits.filter((edit) => edit.file_id === file_id && edit.field === field);
        const certain = own.filter((edit) => edit.known === true);
        // An edit without a result may not have reached the collector.
        const last = own.filter(
          (edit) => edit.known !== false && !certain.some((other) => other.from > edit.to),
        );
        const values = last.filter((edit) => !isDeleted(edit)).map((edit) => edit.value);
        if (!last.some((edit) => edit.known === true) || last.some(mayBeRemoved)) values.push(null);
        const shown = (field === "activity_name" ? edits?.[field] : edits?.activities["0"]?.[field]) ?? null;
        if (!values.includes(shown)) {
          world.break(`the last edit holds: ${field} is ${String(shown)} instead of ${values.join(" or ")}`);
        }
      }
    }
  }
}

/** Checks that a lower sequence number never replaces a higher one, and that nothing else is superseded. */
function sequencesHold(world: World): void {
  for (const ping of world.pings) {
    const own = ping.submission.sequence_number;
    const others = world.pings.filter((other) => other !== ping && other.file_id === ping.file_id);
    const higher = others.filter((other) => own !== null && (other.submission.sequence_number ?? -1) > own);
    if (ping.status === "superseded") {
      const isKnown = higher.some(
        (other) => other.from <= ping.to && other.status !== "duplicate" && other.status !== "superseded",
      );
      if (!isKnown) world.break("a ping is superseded only by a higher number");
    }
    if (ping.status !== "queued" && ping.status !== "held") continue;
    const user = userOf(world, ping.collector);
    const older = higher.find(
      (other) =>
        (other.status === "queued" || other.status === "held") &&
        other.to < ping.from &&
        !world.erasures.some((erasure) => erasure.user === user && erasure.to > other.from),
    );
    if (older !== undefined)
      world.break(
        `a lower number never replaces a higher one (${own} after ${older.submission.sequence_number})`,
      );
  }
}

function tasksRelease(world: World, { ledgers }: Remains): void {
  for (const { name, ledger } of ledgers) {
    for (const row of ledger.files) {
      if (row.held === null) continue;
      const { submission } = row.held;
      const pings = world.pings.filter(
        (ping) => ping.file_id === row.file_id && isSameSubmission(ping.submission, submission),
      );
      const latest = Math.max(...pings.map((ping) => ping.to));
      const task = world.tasks.find(
        (task) => task.collector === name && task.answer !== null && task.from > latest,
      );
      if (task !== undefined) world.break(`a task releases all held files (${row.summary_id})`);
    }
  }
}

function importsComplete(world: World, { ledgers, files, imports, deliveries, bounds }: Remains): void {
  const plans = new Map<string, number[]>();
  for (const row of imports) {
    const { total, imported, skipped, failed, status, completed_at } = row;
    if (completed_at === null || status === "running")
      world.break(`every import completes: ${JSON.stringify(row)}`);
    if (imported + skipped + failed !== total)
      world.break(`an import's counts add up: ${JSON.stringify(row)}`);
    if (status !== "cancelled" && (status === "completed_with_failures") !== failed > 0)
      world.break("the status of an import shows whether files failed");
    const cancellation = world.cancelled.get(row.import_id);
    if (status === "cancelled" ? cancellation === undefined : cancellation === "answered")
      world.break(`an import is cancelled if the partner was told so: ${status}`);
    if (
      status === "cancelled" &&
      deliveries.some(({ delivery_id }) => delivery_id === `plan_${row.import_id}`)
    )
      world.break("a cancelled import requests no plan");
    // An erasure may delete counted files, and leave an import that a later task started.
    const listed = files.filter(
      (file) => file.import_id === row.import_id && file.status === "failed",
    ).length;
    if (failed !== listed && !world.erasures.some(({ user }) => user === row.user_id))
      world.break(`an import counts as failed what its list of failed files shows: ${failed}, ${listed}`);
    const events = deliveries.filter(
      (delivery) => delivery.import_id === row.import_id && delivery.kind === "event",
    );
    if (events.length !== (row.event_id === null ? 0 : 1))
      world.break(`one event for each import with an event_id: ${events.length}`);
    for (const delivery of deliveries) {
      if (delivery.import_id !== row.import_id || delivery.kind !== "training_plan") continue;
      const key = `${row.user_id}/${row.event_id}/${world.tasks.find((task) => task.answer?.import.import_id === row.import_id)?.collector}`;
      plans.set(key, [...(plans.get(key) ?? []), row.completed_at ?? 0]);
    }
  }
  for (const times of plans.values()) {
    times.sort((a, b) => a - b);
    for (const [index, at] of times.entries()) {
      if (index > 0 && at - (times[index - 1] ?? 0) < 24 * 60 * 60_000)
        world.break("one plan for each event_id in a day");
    }
  }
  for (const { ledger } of ledgers) {
    for (const row of ledger.imports) {
      const read = imports.find((other) => other.import_id === row.import_id);
      if (read === undefined) {
        world.break("an import of the collector can be read");
        continue;
      }
      for (const field of ["total", "imported", "skipped", "failed", "status", "completed_at"] as const) {
        if (read[field] !== row[field])
          world.break(
            `collector and read model agree on an import's ${field}: ${row[field]} is read as ${read[field]}`,
          );
      }
    }
  }
  for (const task of world.tasks) {
    const answer = task.answer;
    if (answer === null) continue;
    const erased = (bounds.get(task.user) ?? 0) >= answer.import.requested_at;
    if (!erased && !imports.some((row) => row.import_id === answer.import.import_id))
      world.break("the import that a task returned can be read");
    const erasedBefore = world.erasures.some(
      (erasure) => erasure.user === task.user && erasure.to < task.from,
    );
    const erasedLater = world.erasures.some(
      (erasure) => erasure.user === task.user && erasure.to > task.from,
    );
    if (task.answered !== null && erased && erasedBefore && !erasedLater && !mayMissErasure(world))
      world.break("a task after an erasure is not erased");
  }
}

function bytesAreThere(world: World, { ledgers, files, objects }: Remains): void {
  const named = new Set<string>();
  for (const file of files) {
    for (const key of [file.object_key, file.failed_object_key]) {
      if (key === null) continue;
      named.add(key);
      if (!objects.has(key))
        world.break(
          `the bytes that a file references are stored (${key === file.object_key ? "readable" : "failed"})`,
        );
    }
  }
  for (const { ledger, user } of ledgers) {
    for (const row of ledger.files) {
      if (row.current?.state === "failed" && row.current.submission.callback_url !== null) {
        named.add(versionKey(world.partner.partner_id, user, row.file_id, row.current.version));
      }
      if (row.held !== null && row.held.prefetch !== null) {
        named.add(versionKey(world.partner.partner_id, user, row.file_id, row.held.version));
      }
      for (const key of [row.held?.submission.object_key, row.current?.submission.object_key]) {
        if (key == null) continue;
        named.add(key);
        const url =
          key === row.held?.submission.object_key
            ? row.held.submission.callback_url
            : row.current?.submission.callback_url;
        if (!objects.has(key) && url == null) world.break("the bytes that a collector references are stored");
      }
    }
  }
  for (const key of objects.keys()) {
    if (!named.has(key))
      world.break(
        `no unreferenced object stays (${key.startsWith("inline/") ? "inline" : "downloaded"} ${world.objects.get(key)?.mark})`,
      );
  }
}

/** Checks that with the setting each held file is downloaded, or has a reason why not. */
function heldAreDownloaded(world: World, { ledgers }: Remains): void {
  for (const { held } of ledgers.flatMap(({ ledger }) => ledger.files)) {
    if (held === null || held.submission.callback_url === null) continue;
    if (world.prefetch === "never" && held.prefetch !== null)
      world.break("without the setting, no held file is to be downloaded");
    if (world.prefetch === "always" && held.prefetch?.fault == null)
      world.break("a held file is downloaded, or has a reason why not");
    if (held.prefetch !== null && held.prefetch.next_attempt_at !== null)
      world.break("no attempt to download a held file is left");
  }
}

function erasedIsGone(world: World, remains: Remains): void {
  for (const erasure of world.erasures) {
    if (!erasure.done) continue;
    const { user } = erasure;
    // Unconfirmed work at the start of an erasure may have a time of a clock that is ahead of the erasure's.
    const bound = remains.bounds.get(user) ?? 0;
    const outlives = (respondedAt: number | null, at: number | undefined) =>
      (respondedAt === null && world.skewed) ||
      ((respondedAt === null || respondedAt > erasure.from || world.faults.met.has("d1")) &&
        (at ?? bound + 1) > bound);
    const pingedLater = world.pings.some(
      (ping) =>
        userOf(world, ping.collector) === user &&
        (ping.to > erasure.from || outlives(ping.answered, ping.version ?? undefined)),
    );
    const askedLater = world.tasks.some(
      (task) =>
        task.user === user &&
        (task.to > erasure.from || outlives(task.answered, task.answer?.import.requested_at)),
    );
    if (pingedLater || askedLater) continue;
    const route = userRoute(world.partner.partner_id, user);
    const traces = [
      ...remains.files.filter((row) => row.user_id === user).map(() => "file"),
      ...remains.activities.filter((row) => row.file_id.startsWith(route)).map(() => "activity"),
      ...remains.imports.filter((row) => row.user_id === user).map(() => "import"),
      ...remains.deliveries.filter((row) => row.user_id === user).map((row) => row.kind),
      ...remains.users.filter((row) => row.user_id === user).map(() => "user"),
      ...[...remains.objects.keys()]
        .filter(
          (key) =>
            key.includes(userHash(world.partner.partner_id, user)) ||
            remains.ledgers.some((ledger) => ledger.user === user && key.includes(ledger.name)),
        )
        .map(() => "object"),
      ...remains.ledgers
        .filter((ledger) => ledger.user === user)
        .flatMap(({ ledger }) => [
          ...(ledger.known ? ["names"] : []),
          ...ledger.files.map(() => "ledger row"),
          ...ledger.imports.map(() => "ledger import"),
          ...ledger.dispatches.map(() => "dispatch"),
          ...ledger.outbox.map((entry) => `outbox ${entry.kind}`),
          ...ledger.prefetches.map(() => "waiting held file"),
          ...ledger.remembered.map(() => "remembered duplicate"),
        ]),
    ];
    if (traces.length > 0) world.break(`nothing of an erased user stays: ${traces.join(", ")}`);
  }
}

function userOf(world: World, collector: string): string | undefined {
  return world.collectors().find(({ name }) => name === collector)?.user;
}
