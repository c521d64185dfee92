import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { activitySchema, activityWithPartsSchema } from "../../src/activities/activity.ts";
import { beginErasure } from "../../src/erasure/write.ts";
import { projectEdits, type FileProjection } from "../../src/files/write.ts";
import { userHash } from "../../src/identifiers.ts";
import { projectPage } from "../../src/operator/again/projectPage.ts";
import { fileSchema } from "../../src/files/file.ts";
import { MAX_TITLE_CHARACTERS } from "../../src/contract/limits.ts";
import { app } from "../../src/http/app.ts";
import { pendingEditSchema } from "../../src/http/edit.ts";
import { guardsItself } from "../http/strangers.ts";
import { databaseOf } from "../support/databases.ts";
import { answerOf, faultsOf, problemOf, send } from "../support/http.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { seedActivity, UNKNOWN_ID } from "../support/rows.ts";
import { collectorOf, settle } from "../support/world.ts";
import { HOST, ping, read, SOURCE, task } from "./partnerActs.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const namesOf = (who: TestPartner) => ({
  partnerId: who.partnerId,
  userId: "user-1",
  source: "s",
  summaryId: "r",
});

guardsItself("editing a file", {
  method: "PATCH",
  body: { activity_name: "Other" },
  paths: async (owner) => {
    const [file] = await ping(owner, { summary_id: "r", callback_url: `${HOST}/r` }).catch(() => []);
    return { path: `/api/files/${file?.file_id}/`, unknown: `/api/files/${UNKNOWN_ID}/` };
  },
});
guardsItself("editing an activity", {
  method: "PATCH",
  body: { sport: "running" },
  paths: async (owner) => {
    const id = await seedActivity(namesOf(owner));
    return { path: `/api/activities/${id}/`, unknown: `/api/activities/${UNKNOWN_ID}.0/` };
  },
});

const RIDE = { summary_id: "ride", callback_url: `${HOST}/ride` };
const hosts = () => playOutside({ [`${HOST}/ride`]: () => new Response(rideFile()) });

async function patchFile(who: TestPartner, fileId: string, body: unknown) {
  return answerOf(await send(who, "PATCH", `/api/files/${fileId}/`, { body }), 200, fileSchema);
}

async function patchActivity(who: TestPartner, fileId: string, body: unknown) {
  const response = await send(who, "PATCH", `/api/activities/${fileId}.0/`, { body });
  return answerOf(response, 200, activitySchema);
}

async function activityOf(who: TestPartner, fileId: string) {
  return answerOf(await send(who, "GET", `/api/activities/${fileId}.0/`), 200, activityWithPartsSchema);
}

const rows = async (who: TestPartner, path: string) =>
  z.object({ data: z.array(z.looseObject({ updated_at: z.string() })) }).parse(await read(who, path)).data;

/** Imports a ride. Returns its file's id. */
async function imported(
  who: TestPartner,
): Promise<{ fileId: string; collector: ReturnType<typeof collectorOf> }> {
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const [file] = await ping(who, RIDE);
  await settle(collector);
  return { fileId: file?.file_id ?? "", collector };
}

const EDITS = { sport: "running", sub_sport: "trail", exclude_from_training: true } as const;

describe("an edit of an imported file", () => {
  test("is returned right after it by every read, moves updated_at, and downloads nothing", async () => {
    const who = await newPartner();
    const outside = hosts();
    const { fileId, collector } = await imported(who);
    const [before] = await rows(who, "/api/files/");
    expect(await activityOf(who, fileId)).toMatchObject({ exclude_from_training: false, edited: [] });

    const renamed = await patchFile(who, fileId, { activity_name: "Sunday ride" });
    expect(renamed).toMatchObject({
      activity_name: "Sunday ride",
      edited: ["activity_name"],
      status: "imported",
    });
    const edited = await patchActivity(who, fileId, EDITS);
    const all = ["activity_name", "sport", "sub_sport", "exclude_from_training"];
    const shown = { activity_name: "Sunday ride", ...EDITS, edited: all };
    expect(edited).toMatchObject(shown);
    expect(await read(who, `/api/files/${fileId}/`)).toMatchObject({
      activity_name: "Sunday ride",
      edited: ["activity_name"],
    });
    expect(await activityOf(who, fileId)).toMatchObject(shown);
    for (const query of ["", "?user_id=user-1", "?sport=running", "?user_id=user-1&sport=running"]) {
      expect(await rows(who, `/api/activities/${query}`)).toEqual([expect.objectContaining(shown)]);
    }
    expect(await rows(who, "/api/activities/?sport=cycling")).toEqual([]);
    expect(await rows(who, "/api/activities/?user_id=user-1&sport=cycling")).toEqual([]);
    const since = encodeURIComponent(new Date(Date.parse(before?.updated_at ?? "") + 1).toISOString());
    expect(await rows(who, `/api/files/?updated_since=${since}`)).toMatchObject([{ file_id: fileId }]);
    expect(await rows(who, `/api/activities/?updated_since=${since}&sport=running`)).toMatchObject([shown]);
    const [after] = await rows(who, "/api/files/");
    expect(Date.parse(after?.updated_at ?? "")).toBeGreaterThan(Date.parse(before?.updated_at ?? ""));

    // The alarm finds the edit in the read model, and an equal edit changes nothing.
    await settle(collector);
    await patchFile(who, fileId, { activity_name: "Sunday ride" });
    expect(await rows(who, "/api/files/")).toEqual([after]);
    expect(outside.to(`${HOST}/ride`)).toHaveLength(1);
  });

  test("is undone with null, alone or with others", async () => {
    const who = await newPartner();
    hosts();
    const { fileId } = await imported(who);
    const { sport, sub_sport } = await activityOf(who, fileId);
    await patchFile(who, fileId, { activity_name: "Sunday ride" });
    await patchActivity(who, fileId, EDITS);
    expect(await patchActivity(who, fileId, { sport: null })).toMatchObject({
      sport,
      sub_sport: "trail",
      edited: ["activity_name", "sub_sport", "exclude_from_training"],
    });
    await patchActivity(who, fileId, { sub_sport: null, exclude_from_training: null });
    const original = { sport, sub_sport, exclude_from_training: false, edited: ["activity_name"] };
    expect(await activityOf(who, fileId)).toMatchObject(original);
    expect(await patchFile(who, fileId, { activity_name: null })).toMatchObject({
      activity_name: "Morning ride",
      edited: [],
    });
    expect(await activityOf(who, fileId)).toMatchObject({ activity_name: "Morning ride", edited: [] });
  });

  test("stays over overwrites, also with another name, and over a lost row of the read model", async () => {
    const who = await newPartner();
    hosts();
    const { fileId, collector } = await imported(who);
    await patchFile(who, fileId, { activity_name: "Sunday ride" });
    await patchActivity(who, fileId, EDITS);
    const body = { activity_files: [{ ...RIDE, activity_name: "Third name", overwrite_mode: true }] };
    const base = {
      file_type: "FIT",
      priority: 1,
      user_id: "user-1",
      source: SOURCE,
      start_time_in_seconds: "1760000000",
    };
    const again = await send(who, "POST", "/api/fit_partner_ping/", {
      body: { activity_files: body.activity_files.map((item) => ({ ...base, ...item })) },
    });
    expect(again.status).toBe(202);
    expect(await read(who, `/api/files/${fileId}/`)).toMatchObject({
      activity_name: "Sunday ride",
      status: "queued",
      edited: ["activity_name"],
    });
    await settle(collector);
    const shown = { activity_name: "Sunday ride", ...EDITS };
    expect(await activityOf(who, fileId)).toMatchObject(shown);

    const database = databaseOf(who);
    await database.prepare("DELETE FROM files WHERE file_id = ?").bind(fileId).run();
    const page = await collector.stub.readPage("", 100);
    if (page === null) throw new Error("the collector has files");
    await projectPage(env, database, page);
    expect(await activityOf(who, fileId)).toMatchObject(shown);
    await database.prepare("UPDATE files SET edits = NULL WHERE file_id = ?").bind(fileId).run();
    await projectPage(env, database, page);
    expect(await activityOf(who, fileId)).toMatchObject(shown);
    expect(await patchFile(who, fileId, { activity_name: null })).toMatchObject({
      activity_name: "Third name",
    });
  });

  test("reaches the read model by the alarm when the database failed", async () => {
    const who = await newPartner();
    hosts();
    const { fileId, collector } = await imported(who);
    const database = databaseOf(who);
    const batch = vi.spyOn(database, "batch").mockRejectedValueOnce(new Error("D1 is down"));
    const editing = await collector.stub.editFile(fileId, { file: { activity_name: "Sunday ride" } });
    expect(editing).toMatchObject({ edits: { activity_name: "Sunday ride" } });
    batch.mockRestore();
    expect(await read(who, `/api/files/${fileId}/`)).toMatchObject({ activity_name: "Sunday ride" });
    expect(await rows(who, "/api/files/")).toMatchObject([{ activity_name: "Morning ride" }]);
    await collector.alarm();
    expect(await rows(who, "/api/files/")).toMatchObject([{ activity_name: "Sunday ride" }]);
  });
});

describe("an edit before the import", () => {
  test.each(["held", "queued", "failed"] as const)(
    "of a %s file applies when it is imported",
    async (status) => {
      const who = await newPartner();
      let works = status !== "failed";
      playOutside({
        [`${HOST}/ride`]: () => (works ? new Response(rideFile()) : new Response(null, { status: 404 })),
      });
      const collector = collectorOf(who.partnerId, "user-1", SOURCE);
      const [file] = await ping(who, { ...RIDE, priority: status === "held" ? 0 : 1 });
      const fileId = file?.file_id ?? "";
      if (status === "failed") await settle(collector);
      expect(await patchFile(who, fileId, { activity_name: "Early" })).toMatchObject({
        status,
        activity_name: "Early",
        edited: ["activity_name"],
      });
      const pending = await send(who, "PATCH", `/api/activities/${fileId}.0/`, { body: EDITS });
      expect(await answerOf(pending, 202, pendingEditSchema)).toEqual({
        activity_id: `${fileId}.0`,
        file_id: fileId,
        ...EDITS,
      });
      await problemOf(await send(who, "GET", `/api/activities/${fileId}.0/`), 404, "not_found");
      const beyond = await send(who, "PATCH", `/api/activities/${fileId}.100/`, { body: EDITS });
      await problemOf(beyond, 404, "not_found");
      works = true;
      if (status === "held") await task(who);
      if (status === "failed")
        expect((await send(who, "POST", `/api/files/${fileId}/retry/`)).status).toBe(202);
      await settle(collector);
      expect(await activityOf(who, fileId)).toMatchObject({ activity_name: "Early", ...EDITS });
      const missing = await send(who, "PATCH", `/api/activities/${fileId}.1/`, { body: EDITS });
      await problemOf(missing, 404, "not_found");
    },
  );

  test("between the claim and the report of an importer does not prevent the import", async () => {
    const who = await newPartner();
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    let fileId = "";
    playOutside({
      [`${HOST}/ride`]: async () => {
        await patchFile(who, fileId, { activity_name: "Meanwhile" });
        return new Response(rideFile());
      },
    });
    const [file] = await ping(who, RIDE);
    fileId = file?.file_id ?? "";
    await settle(collector);
    expect(await read(who, `/api/files/${fileId}/`)).toMatchObject({
      status: "imported",
      activity_name: "Meanwhile",
    });
    expect(await activityOf(who, fileId)).toMatchObject({ activity_name: "Meanwhile" });
    expect(await rows(who, "/api/files/")).toMatchObject([
      { status: "imported", activity_name: "Meanwhile" },
    ]);
  });
});

test("after the deletion of the user nothing of an edit is left", async () => {
  const who = await newPartner();
  hosts();
  const { fileId, collector } = await imported(who);
  await patchFile(who, fileId, { activity_name: "Secret name" });
  expect((await send(who, "DELETE", "/api/users/user-1/")).status).toBe(202);
  const gone = await send(who, "PATCH", `/api/files/${fileId}/`, { body: { activity_name: "Again" } });
  await problemOf(gone, 404, "not_found");
  await ping(who, RIDE);
  await settle(collector);
  expect(await read(who, `/api/files/${fileId}/`)).toMatchObject({
    activity_name: "Morning ride",
    edited: [],
  });
});

describe("an edit that reaches the read model late", () => {
  const RENAMED = { file: { activity_name: "Old name" } };

  /** Pings the ride again, writes the edit late, and checks that only a new edit is returned. */
  async function writeLate(who: TestPartner, fileId: string, edited: FileProjection | null): Promise<void> {
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    if (edited === null) throw new Error("the collector knows the file");
    await ping(who, RIDE);
    await settle(collector);
    const database = databaseOf(who);
    const write = () => database.batch(projectEdits(database, who.partnerId, [edited]));
    await write();
    const unedited = { activity_name: "Morning ride", edited: [] };
    expect(await read(who, `/api/files/${fileId}/`)).toMatchObject(unedited);
    expect(await rows(who, "/api/files/")).toMatchObject([unedited]);
    await patchFile(who, fileId, { activity_name: "New name" });
    await write();
    expect(await rows(who, "/api/files/")).toMatchObject([{ activity_name: "New name" }]);
  }

  test("changes nothing after the file was deleted and pinged again", async () => {
    const who = await newPartner();
    hosts();
    const { fileId, collector } = await imported(who);
    const edited = await collector.stub.editFile(fileId, RENAMED);
    expect((await send(who, "DELETE", `/api/files/${fileId}/`)).status).toBe(202);
    await writeLate(who, fileId, edited);
  });

  test("changes nothing when it was made during the erasure of the user, who was pinged again", async () => {
    const who = await newPartner();
    hosts();
    const { fileId, collector } = await imported(who);
    const user = { user_id: "user-1", user_hash: userHash(who.partnerId, "user-1") };
    const erasure = await beginErasure(databaseOf(who), who.partnerId, user, Date.now());
    const bound = erasure?.before_version ?? 0;
    vi.useFakeTimers({ toFake: ["Date"], now: bound + 1_000 });
    const edited = await collector.stub.editFile(fileId, RENAMED);
    expect(edited?.edits?.version).toBeGreaterThan(bound);
    await collector.stub.erase(bound);
    await writeLate(who, fileId, edited);
  });
});

describe("an edit is rejected", () => {
  test("without fields, with unknown fields, and with values of other types", async () => {
    const who = await newPartner();
    hosts();
    const { fileId } = await imported(who);
    const before = await read(who, `/api/files/${fileId}/`);
    const file = `/api/files/${fileId}/`;
    const activity = `/api/activities/${fileId}.0/`;
    for (const [path, body, faults] of [
      [file, {}, [["", "required"]]],
      [activity, {}, [["", "required"]]],
      [file, { sport: "running" }, [["/sport", "unknown_parameter"]]],
      [file, { activity_name: "x".repeat(MAX_TITLE_CHARACTERS + 1) }, [["/activity_name", "too_long"]]],
      [file, { activity_name: 7 }, [["/activity_name", "invalid_type"]]],
      [activity, { activity_name: "x", sport: "running" }, [["/activity_name", "unknown_parameter"]]],
      [activity, { exclude_from_training: "yes" }, [["/exclude_from_training", "invalid_type"]]],
      [
        activity,
        { sport: "Running", sub_sport: "unknown_99" },
        [
          ["/sport", "invalid_value"],
          ["/sub_sport", "invalid_value"],
        ],
      ],
      [activity, { sport: "" }, [["/sport", "invalid_value"]]],
      [activity, [], [["", "invalid_type"]]],
    ] as const) {
      const problem = await problemOf(await send(who, "PATCH", path, { body }), 400, "validation_failed");
      expect(faultsOf(problem)).toEqual(faults);
    }
    await problemOf(await send(who, "PATCH", file, { raw: "{" }), 400, "malformed_json");
    expect(await read(who, file)).toEqual(before);
  });

  test("with a sport that FIT does not have, with the address of the list, which names every accepted sport", async () => {
    const who = await newPartner();
    hosts();
    const { fileId } = await imported(who);
    const page = await (await app.request("/docs/", {}, env)).text();
    for (const [field, anchor, name] of [
      ["sport", "sports", "e_biking"],
      ["sub_sport", "sub-sports", "gravel_cycling"],
    ] as const) {
      const body = { [field]: "quidditch" };
      const refused = await send(who, "PATCH", `/api/activities/${fileId}.0/`, { body });
      const problem = await problemOf(refused, 400, "validation_failed");
      expect(problem.errors?.[0]?.detail).toContain(`/docs/#${anchor}`);
      expect(page).toContain(`id="${anchor}"`);
      expect(page).toContain(`<code>${name}</code>`);
      expect(await patchActivity(who, fileId, { [field]: name })).toMatchObject({ [field]: name });
    }
  });
});
