import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { HOST_RETRY_DELAYS_MS } from "../../src/contract/limits.ts";
import { fileSchema } from "../../src/files/file.ts";
import { retriedImportSchema } from "../../src/imports/import.ts";
import { countsOf } from "../../src/imports/counts.pure.ts";
import { answerOf, problemOf, send } from "../support/http.ts";
import { once, playOutside, type Answer } from "../support/outside.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { rideFile } from "../support/rideFile.ts";
import { collectorOf, deliverDispatch, deliverEvent, settle } from "../support/world.ts";
import { HOST, ping, read, RECEIVER, SOURCE, task } from "../flows/partnerActs.ts";
import { NOON, seedFile, seedImport, UNKNOWN_ID } from "../support/rows.ts";
import { guardsItself } from "./strangers.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

guardsItself("retrying a file", {
  method: "POST",
  paths: async (owner) => {
    const names = { partnerId: owner.partnerId, userId: "u", source: "s", summaryId: "f" };
    const id = await seedFile(names, { status: "failed" });
    return { path: `/api/files/${id}/retry/`, unknown: `/api/files/${UNKNOWN_ID}/retry/` };
  },
});
guardsItself("retrying an import", {
  method: "POST",
  paths: async (owner) => {
    const id = await seedImport({ partnerId: owner.partnerId, userId: "u", source: "s" });
    return { path: `/api/imports/${id}/retry/`, unknown: `/api/imports/${UNKNOWN_ID}/retry/` };
  },
});

const gone: Answer = () => new Response(null, { status: 404 });
const retryFile = (who: TestPartner, fileId: string | undefined) =>
  send(who, "POST", `/api/files/${fileId}/retry/`);

describe("a failed file", () => {
  test("is retried from its stored URL, and is shown as queued at once", async () => {
    const who = await newPartner();
    let host = gone;
    playOutside({ [`${HOST}/ride`]: (request) => host(request) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    await settle(collector);
    host = once(rideFile());
    const queued = await answerOf(await retryFile(who, file?.file_id), 202, fileSchema);
    expect(queued).toMatchObject({
      file_id: file?.file_id,
      status: "queued",
      attempts: 1,
      error: null,
      last_error: { code: "callback_gone", retryable: true },
      next_attempt_at: null,
    });
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({ status: "queued" });
    await settle(collector);
    expect(await read(who, `/api/files/${file?.file_id}/`)).toMatchObject({
      status: "imported",
      attempts: 2,
      last_error: null,
    });
  });

  test("whose bytes must fail again is not retried, unless an operator does so, without a download", async () => {
    const who = await newPartner();
    const outside = playOutside({ [`${HOST}/ride`]: once(new Uint8Array(Buffer.from("<gpx></gpx>"))) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    const file_id = file?.file_id ?? "";
    await settle(collector);
    const refused = await problemOf(await retryFile(who, file_id), 409, "not_retryable");
    expect(refused.detail).toBe(
      "This file failed as `not_fit`, and the same bytes would fail again. Correct the file and ping it again.",
    );
    const failed = { status: "failed", error: { code: "not_fit", retryable: false }, last_error: null };
    expect(await read(who, `/api/files/${file_id}/`)).toMatchObject({ ...failed, attempts: 1 });
    expect(await collector.stub.retry({ file_ids: [file_id], by: "operator" }, 1)).toBe(1);
    await settle(collector);
    expect(await read(who, `/api/files/${file_id}/`)).toMatchObject({ ...failed, attempts: 2 });
    expect(outside.to(`${HOST}/ride`)).toHaveLength(1);
  });

  test("that is tried again by itself says when, and why the last attempt failed", async () => {
    const who = await newPartner();
    playOutside({ [`${HOST}/ride`]: () => new Response(null, { status: 503 }) });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    const before = Date.now();
    const [dispatch] = await collector.sent();
    await deliverDispatch(collector, dispatch?.dispatch_id ?? "");
    const waits = await answerOf(await send(who, "GET", `/api/files/${file?.file_id}/`), 200, fileSchema);
    expect(waits).toMatchObject({
      status: "queued",
      attempts: 1,
      error: null,
      last_error: { code: "callback_http_error", http_status: 503, retryable: true },
    });
    const next = Date.parse(waits.next_attempt_at ?? "");
    expect(next).toBeGreaterThanOrEqual(before + (HOST_RETRY_DELAYS_MS[0] ?? 0));
    expect(next).toBeLessThanOrEqual(Date.now() + (HOST_RETRY_DELAYS_MS[0] ?? 0));
    await collector.alarm();
    const { updated_at: _, ...listed } = waits;
    expect(await read(who, "/api/files/")).toMatchObject({ data: [listed] });
  });

  test("without stored bytes and URL must be pinged again", async () => {
    const who = await newPartner();
    playOutside({ [`${HOST}/ride`]: gone });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    await settle(collector);
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(Date.now() + 8 * 86_400_000);
    await collector.alarm();
    await collector.alarm();
    const refused = await problemOf(await retryFile(who, file?.file_id), 409, "not_retryable");
    expect(refused.detail).toContain("Ping the file again");
  });
});

test("a file that has not failed cannot be retried", async () => {
  const who = await newPartner();
  const [held, queued] = await ping(
    who,
    { summary_id: "held", callback_url: `${HOST}/held`, priority: 0 },
    { summary_id: "queued", callback_url: `${HOST}/queued` },
  );
  for (const file of [held, queued]) {
    const refused = await problemOf(await retryFile(who, file?.file_id), 409, "not_retryable");
    expect(refused.detail).toContain(file?.status);
  }
});

test("a retried file is shown as queued in lists after its collector's alarm has run", async () => {
  const who = await newPartner();
  playOutside({ [`${HOST}/ride`]: gone });
  const collector = collectorOf(who.partnerId, "user-1", SOURCE);
  const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
  await settle(collector);
  expect(await read(who, "/api/files/")).toMatchObject({ data: [{ status: "failed" }] });
  expect((await retryFile(who, file?.file_id)).status).toBe(202);
  await collector.alarm();
  const { file_id } = file ?? {};
  expect(await read(who, "/api/files/")).toMatchObject({
    data: [{ file_id, status: "queued", error: null }],
  });
});

describe("retries count against the partner's limit of files", () => {
  const limited = (files_per_minute: number) =>
    newPartner({ limits: { requests_per_minute: null, files_per_minute } });
  const pass = (seconds: number) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    vi.setSystemTime(Date.now() + seconds * 1000);
  };

  async function failedImport(who: TestPartner, ...names: string[]) {
    const outside = playOutside(Object.fromEntries(names.map((name) => [`${HOST}/${name}`, gone])));
    const pings = names.map((name) => ({ summary_id: name, callback_url: `${HOST}/${name}` }));
    const files = await ping(who, ...pings.map((item) => ({ ...item, priority: 0 as const })));
    const { import_id } = await task(who);
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await settle(collector);
    return {
      collector,
      files,
      import_id,
      retry: () => send(who, "POST", `/api/imports/${import_id}/retry/`),
      requests: () => names.flatMap((name) => outside.to(`${HOST}/${name}`)).length,
    };
  }

  test("retries of an import are rejected together with a 429, and cause no download", async () => {
    pass(0);
    const who = await limited(4);
    const { collector, retry, requests } = await failedImport(who, "a", "b", "c");
    const refused = await retry();
    await problemOf(refused, 429, "rate_limited");
    expect(refused.headers.get("Retry-After")).toBe("30");
    expect(refused.headers.get("RateLimit")).toBe('"files";r=1;t=45');
    await settle(collector);
    expect(requests()).toBe(3);
    pass(30);
    const taken = await retry();
    await answerOf(taken, 202, retriedImportSchema);
    expect(taken.headers.get("RateLimit")).toBe('"files";r=0;t=60');
    await settle(collector);
    expect(requests()).toBe(6);
  });

  test("a retry of a file counts as one file", async () => {
    pass(0);
    const who = await limited(2);
    playOutside({ [`${HOST}/ride`]: gone });
    const [file] = await ping(who, { summary_id: "ride", callback_url: `${HOST}/ride` });
    await settle(collectorOf(who.partnerId, "user-1", SOURCE));
    const retried = await retryFile(who, file?.file_id);
    expect(retried.headers.get("RateLimit")).toBe('"files";r=0;t=60');
    await answerOf(retried, 202, fileSchema);
  });

  test("files that cannot be retried do not count", async () => {
    const who = await limited(2);
    const [file] = await ping(who, { summary_id: "held", callback_url: `${HOST}/held`, priority: 0 });
    const refused = await retryFile(who, file?.file_id);
    await problemOf(refused, 409, "not_retryable");
    expect(refused.headers.get("RateLimit")).toBeNull();
  });

  test("a file that failed again can be retried once a minute, alone or with its import", async () => {
    pass(0);
    const who = await newPartner();
    const { collector, files, retry, requests } = await failedImport(who, "a", "b");
    expect((await retry()).status).toBe(202);
    await settle(collector);
    pass(59);
    const refused = await retry();
    await problemOf(refused, 429, "rate_limited");
    expect(refused.headers.get("Retry-After")).toBe("1");
    await problemOf(await retryFile(who, files[0]?.file_id), 429, "rate_limited");
    await settle(collector);
    expect(requests()).toBe(4);
    pass(1);
    expect((await retry()).status).toBe(202);
    await settle(collector);
    expect(requests()).toBe(6);
  });

  test("a request retries a part of a large import, and the next request the files after it", async () => {
    const who = await newPartner();
    const { collector, import_id, requests } = await failedImport(who, "a", "b", "c");
    expect(await collector.stub.previewRetry({ import_id }, 2)).toEqual({ files: 2, retryable_at: 0 });
    expect(await collector.stub.retry({ import_id }, 2)).toBe(2);
    await settle(collector);
    expect(await collector.stub.retry({ import_id }, 2)).toBe(1);
    await settle(collector);
    expect(requests()).toBe(6);
  });
});

describe("an import with failures", () => {
  test("retries the files that can be retried; its counts change, and it does not complete or send its event again", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    let host = gone;
    const outside = playOutside({
      [`${HOST}/a`]: once(rideFile()),
      [`${HOST}/b`]: (request) => host(request),
      [`${HOST}/c`]: gone,
      [RECEIVER]: () => new Response("ok"),
    });
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    await ping(
      who,
      ...["a", "b", "c"].map((name) => ({
        summary_id: name,
        callback_url: `${HOST}/${name}`,
        priority: 0 as const,
      })),
    );
    const { import_id } = await task(who, { event_id: "e", is_initial_import: true });
    await settle(collector);
    await deliverEvent(who.partnerId, `evt_${import_id}`);
    const before = await read(who, `/api/imports/${import_id}/`);
    expect(before).toMatchObject({ status: "completed_with_failures", files: { imported: 1, failed: 2 } });

    host = once(rideFile());
    const retry = () => send(who, "POST", `/api/imports/${import_id}/retry/`);
    const retried = await answerOf(await retry(), 202, retriedImportSchema);
    expect(retried).toMatchObject({ import_id, retried_files: 2 });
    await settle(collector);
    const changed = await read(
      who,
      `/api/files/?import_id=${import_id}&updated_since=${retried.retried_at}&status=imported`,
    );
    expect(changed["data"]).toHaveLength(1);
    await deliverEvent(who.partnerId, `evt_${import_id}`);
    expect(await read(who, `/api/imports/${import_id}/`)).toEqual({
      ...before,
      updated_at: expect.any(String),
      files: { ...countsOf({ total: 3, imported: 2, failed: 1 }), pending: 0 },
    });
    expect(outside.to(RECEIVER)).toHaveLength(1);
  });

  const failedImport = async (who: TestPartner, answers: Record<string, Answer>) => {
    const outside = playOutside(answers);
    const collector = collectorOf(who.partnerId, "user-1", SOURCE);
    const url = (name: string) => `${HOST}/${name}`;
    const [, file] = await ping(
      who,
      { summary_id: "a", callback_url: url("a"), priority: 0 },
      { summary_id: "b", callback_url: url("b"), priority: 0 },
    );
    const { import_id } = await task(who, { event_id: "e" });
    await settle(collector);
    const path = `/api/imports/${import_id}/`;
    expect(await read(who, path)).toMatchObject({ status: "completed_with_failures", files: { failed: 1 } });
    const failures = async () =>
      (await read(who, `/api/files/?import_id=${import_id}&status=failed`))["data"];
    return { outside, collector, path, import_id, file_id: file?.file_id, failures };
  };

  test("counts a failed file that is pinged again with priority 1 and imported as imported", async () => {
    const who = await newPartner({ event_url: RECEIVER });
    const { collector, path, import_id, file_id, failures } = await failedImport(who, {
      [`${HOST}/a`]: once(rideFile()),
      [`${HOST}/b`]: gone,
      [`${HOST}/b2`]: gone,
      [`${HOST}/b3`]: once(rideFile({ seconds: 20 })),
      [RECEIVER]: () => new Response("ok"),
    });
    await ping(who, { summary_id: "b", callback_url: `${HOST}/b2`, priority: 1 });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({ status: "completed_with_failures", files: { failed: 1 } });
    expect(await failures()).toHaveLength(1);
    await ping(who, { summary_id: "b", callback_url: `${HOST}/b3`, priority: 1 });
    await settle(collector);
    expect(await read(who, path)).toMatchObject({
      status: "completed",
      files: { total: 2, pending: 0, imported: 2, failed: 0 },
    });
    expect(await failures()).toEqual([]);
    expect(await read(who, `/api/files/${file_id}/`)).toMatchObject({ status: "imported", import_id });
    await problemOf(await send(who, "POST", `${path}retry/`), 409, "not_retryable");
    const events = z.array(z.unknown()).parse((await read(who, "/api/events/"))["data"]);
    expect(events).toHaveLength(1);
  });

  test("counts a failed file that is pinged again with priority 0 as skipped, and the next import counts it", async () => {
    const who = await newPartner();
    const { collector, path, failures } = await failedImport(who, {
      [`${HOST}/a`]: once(rideFile()),
      [`${HOST}/b`]: gone,
      [`${HOST}/b2`]: once(rideFile({ seconds: 20 })),
    });
    await ping(who, { summary_id: "b", callback_url: `${HOST}/b2`, priority: 0 });
    await settle(collector);
    const replaced = { status: "completed", files: { total: 2, imported: 1, skipped: 1, failed: 0 } };
    expect(await read(who, path)).toMatchObject(replaced);
    expect(await failures()).toEqual([]);
    const next = await task(who, { event_id: "f" });
    await settle(collector);
    expect(await read(who, `/api/imports/${next.import_id}/`)).toMatchObject({
      files: { total: 1, imported: 1 },
    });
    expect(await read(who, path)).toMatchObject(replaced);
  });

  test("without retryable files returns a 409", async () => {
    const who = await newPartner();
    const { import_id } = await task(who);
    await problemOf(await send(who, "POST", `/api/imports/${import_id}/retry/`), 409, "not_retryable");
    const old = await seedImport(
      { partnerId: who.partnerId, userId: "forgotten", source: "s" },
      { status: "completed_with_failures", failed: 1, completed_at: NOON },
    );
    await problemOf(await send(who, "POST", `/api/imports/${old}/retry/`), 409, "not_retryable");
  });
});
