import { gzipSync } from "node:zlib";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { app } from "../../src/http/app.ts";
import { PAUSE_MS } from "../../src/http/pace.ts";
import { INTAKE_BYTES, requestMemory } from "../../src/memory/budget.ts";
import { FitBuilder } from "../support/fitBuilder.ts";
import { newPartner, type TestPartner } from "../support/partner.ts";
import { answerOf, problemOf } from "../support/http.ts";
import { RIDE, rideFile } from "../support/rideFile.ts";

const inspection = z.looseObject({
  warnings: z.array(z.string()),
  activities: z.array(
    z.looseObject({
      sport: z.string(),
      start_time_in_seconds: z.number().nullable(),
      laps: z.array(z.unknown()),
      stream_data: z.record(z.string(), z.array(z.number().nullable())).optional(),
    }),
  ),
});

afterEach(() => {
  vi.useRealTimers();
});

/** Whether requests have no memory reserved. */
function allIsReturned(): boolean {
  const all = requestMemory("another-partner");
  const isFree = all.tryGrowTo(INTAKE_BYTES);
  all.release();
  return isFree;
}

async function inspect(who: TestPartner, body: BodyInit, query = "", type = "application/octet-stream") {
  const headers = { ...who.headers, "Content-Type": type };
  return app.request(`/api/fit/inspect/${query}`, { method: "POST", headers, body }, env);
}

test("returns the activities that an import would store, and stores nothing", async () => {
  const who = await newPartner();
  const found = await answerOf(await inspect(who, rideFile()), 200, inspection);
  expect(found).toMatchObject({
    warnings: [],
    activities: [{ sport: "cycling", start_time_in_seconds: RIDE.startInSeconds }],
  });
  expect(found.activities[0]?.laps).toHaveLength(1);
  expect(found.activities[0]).not.toHaveProperty("stream_data");
  const { objects } = await env.FILES.list({ prefix: who.partnerId });
  expect(objects).toEqual([]);
});

test("gives the local time at the start's position, and the device that recorded the file", async () => {
  const who = await newPartner();
  const semicircles = (degrees: number) => Math.round((degrees * 2 ** 31) / 180);
  const bytes = new FitBuilder()
    .message(0, [
      [0, "enum", 4],
      [1, "uint16", 1],
      [2, "uint16", 1836],
    ])
    .session([
      [3, "sint32", semicircles(27.7)],
      [4, "sint32", semicircles(85.32)],
    ])
    .build();
  const found = await answerOf(await inspect(who, bytes), 200, inspection);
  expect(found.activities).toMatchObject([
    {
      utc_offset_in_seconds: 20_700,
      offset_source: "position",
      time_zone: "Asia/Kathmandu",
      local_date: "2021-09-08",
      recorded_with: "Garmin Edge 1000",
    },
  ]);
});

test("with streams=true each activity has its columns", async () => {
  const who = await newPartner();
  const found = await answerOf(await inspect(who, rideFile(), "?streams=true"), 200, inspection);
  expect(found.activities[0]?.stream_data?.["heart_rate_in_beats_per_minute"]).toEqual(
    Array(RIDE.seconds).fill(RIDE.heartRate),
  );
});

test("with streams=true each activity has its beat-to-beat intervals", async () => {
  const who = await newPartner();
  const file = rideFile({ seconds: 11, beatsPerSecond: 2 });
  const inspected = async (bytes: Uint8Array<ArrayBuffer>, query: string) =>
    (await answerOf(await inspect(who, bytes, query), 200, inspection)).activities[0];
  expect(await inspected(file, "?streams=true")).toMatchObject({
    has_rr_intervals: true,
    rr_intervals: {
      source: "hrv",
      coverage: 0.909,
      time_in_seconds: Array.from({ length: 20 }, (_, i) => 0.5 + i / 2),
    },
  });
  const brief = await inspected(file, "");
  expect(brief).toMatchObject({ has_rr_intervals: true });
  expect(brief).not.toHaveProperty("rr_intervals");
  expect(await inspected(rideFile(), "?streams=true")).toMatchObject({
    has_rr_intervals: false,
    rr_intervals: { source: null },
  });
});

test("returns the same for a gzip of the file, sent in chunks", async () => {
  const who = await newPartner();
  const chunked = new Blob([gzipSync(rideFile({ seconds: 2_000 }))]).stream();
  const found = await answerOf(await inspect(who, chunked, "", "application/vnd.ant.fit"), 200, inspection);
  expect(found.activities).toHaveLength(1);
});

test.each([
  ["an empty file", new Uint8Array(0), "file_empty"],
  ["a GPX", "<?xml version='1.0'?><gpx></gpx>", "not_fit"],
  [
    "a zip without a FIT file",
    Buffer.from("504b0506000000000000000000000000000000000000", "hex"),
    "archive_invalid",
  ],
])("rejects %s with the error code of an import", async (_title, body, code) => {
  const who = await newPartner();
  await problemOf(await inspect(who, body), 422, code);
});

test("rejects more than 32 MiB, also in chunks, and other media types before reading the body", async () => {
  const who = await newPartner();
  const big = new Uint8Array(32 * 1024 * 1024 + 1);
  await problemOf(await inspect(who, big), 413, "body_too_large");
  await problemOf(await inspect(who, new Blob([big]).stream()), 413, "body_too_large");
  await problemOf(await inspect(who, "{}", "", "application/json"), 415, "unsupported_media_type");
});

test("returns 503 for a small gzip of a large file while memory is short, with and without streams", async () => {
  const who = await newPartner();
  const large = rideFile({ seconds: 12_000, paddingBytes: 235 });
  const small = gzipSync(large);
  expect(small.byteLength).toBeLessThan(1024 * 1024);
  const taken = requestMemory("another-partner");
  expect(taken.tryGrowTo(INTAKE_BYTES - large.byteLength)).toBe(true);
  for (const query of ["", "?streams=true"]) {
    const refused = await inspect(who, small, query);
    await problemOf(refused, 503, "memory_short");
    expect(refused.headers.get("Retry-After")).toBe("1");
  }
  taken.release();
  await answerOf(await inspect(who, small, "?streams=true"), 200, inspection);
  expect(taken.tryGrowTo(INTAKE_BYTES)).toBe(true);
  taken.release();
});

test("reserves memory for received bytes until the connection breaks, and none for a declared length", async () => {
  const who = await newPartner();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const headers = {
    ...who.headers,
    "Content-Type": "application/octet-stream",
    "Content-Length": String(32 * 1024 * 1024),
  };
  const answer = app.request("/api/fit/inspect/", { method: "POST", headers, body: readable }, env);
  await writer.write(new Uint8Array(1_000));
  expect(allIsReturned()).toBe(true);
  const chunk = new Uint8Array(64 * 1024);
  for (let sent = 0; sent < 32; sent += 1) await writer.write(chunk);
  expect(allIsReturned()).toBe(false);
  await writer.abort(new Error("Network connection lost."));
  await problemOf(await answer, 408, "body_too_slow");
  expect(allIsReturned()).toBe(true);
});

/** Inspects a file with about 1 MB of streams. */
async function largeAnswer(): Promise<Response> {
  const response = await inspect(await newPartner(), rideFile({ seconds: 40_000 }), "?streams=true");
  expect(response.status).toBe(200);
  return response;
}

test("reserves the memory of a response until it is read", async () => {
  const response = await largeAnswer();
  expect(allIsReturned()).toBe(false);
  const found = await answerOf(response, 200, inspection);
  expect(found.activities[0]?.stream_data?.["time_in_seconds"]).toHaveLength(40_000);
  expect(allIsReturned()).toBe(true);
});

test("releases the memory of a response when its reader disconnects", async () => {
  const response = await largeAnswer();
  const reader: ReadableStreamDefaultReader<Uint8Array> | undefined = response.body?.getReader();
  await reader?.read();
  expect(allIsReturned()).toBe(false);
  await reader?.cancel();
  expect(allIsReturned()).toBe(true);
});

test("ends a response that is not read, and releases its memory", async () => {
  vi.useFakeTimers({ toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  const response = await largeAnswer();
  await vi.advanceTimersByTimeAsync(PAUSE_MS - 1);
  expect(allIsReturned()).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(allIsReturned()).toBe(true);
  await expect(response.text()).rejects.toThrow("not read in time");
});
