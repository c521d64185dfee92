import { createMessageBatch, getQueueResult, createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { eventWithAttemptsSchema } from "../../src/deliveries/event.ts";
import { fileSchema } from "../../src/files/file.ts";
import worker from "../../src/index.ts";
import { sendJobs } from "../../src/operator/jobs/consume.ts";
import { usageKey } from "../../src/usage/usage.ts";
import { answerOf, send } from "../support/http.ts";
import { databaseOf } from "../support/databases.ts";
import { deliverJobs } from "../support/jobs.ts";
import { newPartner } from "../support/partner.ts";
import { NOON, seedActivity, seedDelivery, seedFile } from "../support/rows.ts";

/** Rows and messages as another release writes them: with keys that this one does not know, and without keys that it does. */

const names = (partnerId: string) => ({ partnerId, userId: "u", source: "s", summaryId: "f" });

test("a file with an error and warnings of a newer release is read", async () => {
  const who = await newPartner();
  const id = await seedFile(names(who.partnerId), {
    status: "failed",
    error: '{"code":"solar_flare","detail":"d","http_status":null,"retryable":true,"since":1}',
    warnings: '["clock_jump","solar_flare"]',
  });
  const file = await answerOf(await send(who, "GET", `/api/files/${id}/`), 200, fileSchema);
  expect(file).toMatchObject({
    error: { code: "internal", detail: "d", http_status: null, retryable: true },
    warnings: ["clock_jump"],
  });
  await databaseOf(who)
    .prepare(`UPDATE files SET error = '{"code":"not_fit"}' WHERE partner_id = ?`)
    .bind(who.partnerId)
    .run();
  expect(await answerOf(await send(who, "GET", `/api/files/${id}/`), 200, fileSchema)).toMatchObject({
    error: { code: "not_fit", detail: "", http_status: null, retryable: false },
  });
});

test("activities with a quantity more, or less, are listed", async () => {
  const who = await newPartner();
  const id = await seedActivity(names(who.partnerId));
  for (const summary of ["1\troad\t\t\t\t\t\t\t\t\t\t\t\t\t17\n3600" + "\t1".repeat(40), "1\n3600"]) {
    await databaseOf(who)
      .prepare("UPDATE activities SET summary = ? WHERE partner_id = ?")
      .bind(summary.replace("road", '"road"'), who.partnerId)
      .run();
    const list = await (await send(who, "GET", "/api/activities/")).json();
    expect(list).toMatchObject({ data: [{ activity_id: id, elapsed_time_in_seconds: 3600, derived: [] }] });
    expect((await send(who, "GET", `/api/activities/${id}/`)).status).toBe(200);
  }
});

test("an event with other keys in its body and its attempts is read", async () => {
  const who = await newPartner();
  await seedDelivery(who.partnerId, "evt_1", {
    body: '{"type":"x.y","timestamp":"t","version":2}',
    attempts: `[{"at":${NOON},"region":"eu"}]`,
  });
  const event = await answerOf(await send(who, "GET", "/api/events/evt_1/"), 200, eventWithAttemptsSchema);
  expect(event).toMatchObject({
    type: "x.y",
    data: {},
    attempts: [{ at: "2026-06-01T12:00:00.000Z", status: null, milliseconds: 0, answer: null }],
  });
});

test("published usage with another unit does not refuse a partner's requests", async () => {
  const who = await newPartner();
  await env.PARTNERS.put(usageKey(who.partnerId), '{"files":1,"minutes":3}');
  expect((await send(who, "GET", "/api/partner/")).status).toBe(200);
});

test("a job of a newer release is left to it", async () => {
  const insert = "INSERT INTO operator_jobs (job_id, kind, parameters, created_at) VALUES (?, ?, ?, 0)";
  await env.DB.batch([
    env.DB.prepare(insert).bind("newer-kind", "reindex", '{"depth":3}'),
    env.DB.prepare(insert).bind("newer-code", "redecode", '{"since":0,"code":"solar_flare"}'),
    env.DB.prepare(insert).bind("known", "redecode", '{"since":0,"pace":"slow"}'),
  ]);
  const sent = vi.spyOn(env.JOBS, "send");
  await sendJobs(env, Date.now());
  expect(sent.mock.calls).toEqual([[{ database: "DB" }]]);
  expect(await deliverJobs()).toBe(true);
  const { results } = await env.DB.prepare(
    "SELECT job_id FROM operator_jobs WHERE finished_at IS NULL AND started_at IS NULL ORDER BY job_id",
  ).all();
  expect(results).toEqual([{ job_id: "newer-code" }, { job_id: "newer-kind" }]);
});

test.each([
  ["partner-api-priority", { collector: "p/none", dispatch_id: "d", trace: "t" }],
  ["partner-api-deliveries", { partner_id: "p", delivery_id: "evt_none", trace: "t" }],
])("a message of %s with another key is consumed", async (queue, body) => {
  const batch = createMessageBatch(queue, [{ id: "m", timestamp: new Date(), attempts: 1, body }]);
  await worker.queue(batch, env);
  const { explicitAcks } = await getQueueResult(batch, createExecutionContext());
  expect(explicitAcks).toEqual(["m"]);
});
