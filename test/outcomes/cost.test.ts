import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { deliverDue } from "../../src/deliveries/deliver.ts";
import { reportOutcomes } from "../../src/outcomes/report.ts";
import { PRICES } from "../bench/prices.ts";
import { databaseOf, ownerOf } from "../support/databases.ts";
import { playOutside } from "../support/outside.ts";
import { newPartner } from "../support/partner.ts";
import { seedFile } from "../support/rows.ts";

afterEach(() => vi.restoreAllMocks());

const HOOK = "https://hooks.example.com/outcomes";
/** Live rides among a million files, and how many of them share an event: at 10 rides in 4 s, 150 a minute. */
const LIVE_RIDES = 100_000;
const RIDES_IN_EVENT = 10;

const rows = { read: 0, written: 0 };

function counted(result: D1Result<Record<string, unknown>>) {
  rows.read += result.meta.rows_read;
  rows.written += result.meta.rows_written;
  return result;
}

/** Returns the database, which adds the rows of each statement to `rows`. */
function counting(real: D1Database): D1Database {
  const originals = new Map<unknown, D1PreparedStatement>();
  const statementOf = (original: D1PreparedStatement): D1PreparedStatement => {
    const statement = {
      bind: (...values: unknown[]) => statementOf(original.bind(...values)),
      all: async () => counted(await original.all()),
      run: async () => counted(await original.run()),
      first: async (column?: string) => {
        const [row] = counted(await original.all()).results;
        if (row === undefined) return null;
        return column === undefined ? row : row[column];
      },
    } as unknown as D1PreparedStatement;
    originals.set(statement, original);
    return statement;
  };
  return {
    prepare: (sql: string) => statementOf(real.prepare(sql)),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await real.batch<Record<string, unknown>>(
        statements.map((one) => originals.get(one) ?? one),
      );
      return results.map(counted);
    },
  } as unknown as D1Database;
}

test("outcomes of the live rides among a million files cost at most 0.30 USD when ten rides share an event", async () => {
  const outside = playOutside({ [HOOK]: () => new Response(null, { status: 204 }) });
  const who = await newPartner();
  const db = databaseOf(who);
  await db
    .prepare(
      `INSERT INTO endpoints (partner_id, endpoint_id, url, event_types, verified_at, created_at, outcomes_time, secrets)
       VALUES (?, 'ep_own', ?, '["file.imported"]', 1, 1, 1, ?)`,
    )
    .bind(
      who.partnerId,
      HOOK,
      JSON.stringify([
        {
          secret_id: "s",
          secret: `whsec_${btoa("0".repeat(24))}`,
          created_at: "2026-11-25T00:00:00Z",
          expires_at: null,
        },
      ]),
    )
    .run();
  for (let ride = 0; ride < RIDES_IN_EVENT; ride += 1) {
    await seedFile({ partnerId: who.partnerId, userId: `u-${ride}`, source: "s", summaryId: `r-${ride}` });
  }
  await db.batch([
    db
      .prepare("UPDATE files SET outcome_batch = updated_batch, outcome_live = 1 WHERE partner_id = ?")
      .bind(who.partnerId),
    db.prepare("UPDATE file_batches SET outcomes = 2 WHERE partner_id = ?").bind(who.partnerId),
  ]);
  const owner = ownerOf(who.partnerId);
  const world = { ...env, [owner.database]: counting(db) };
  await reportOutcomes(world, owner, Date.now());
  const id = await db
    .prepare("SELECT delivery_id FROM deliveries WHERE partner_id = ?")
    .bind(who.partnerId)
    .first<string>("delivery_id");
  await deliverDue(world, { ...owner, delivery_id: id ?? "" });
  expect(outside.to(HOOK)).toHaveLength(1);
  expect(outside.to(HOOK)[0]?.body.match(/"sequence"/g)).toHaveLength(RIDES_IN_EVENT);

  const { d1_rows_read, d1_rows_written, do_requests, do_rows_read, do_rows_written, kv_reads } = PRICES;
  // The event: its rows, its alarm, two calls of the windows, its message, its consumer and the partner's settings.
  const perEvent =
    rows.read * d1_rows_read.usd +
    rows.written * d1_rows_written.usd +
    3 * do_requests.usd +
    2 * do_rows_written.usd +
    3 * PRICES.queue_operations.usd +
    PRICES.worker_requests.usd +
    kv_reads.usd;
  // The ride: one call that finds the alarm set, and one row read of the endpoint.
  const perRide = do_requests.usd + 2 * do_rows_read.usd + d1_rows_read.usd;
  const usd = (LIVE_RIDES / 1e6) * (perRide + perEvent / RIDES_IN_EVENT);
  console.log(
    `${rows.read} rows read, ${rows.written} written per event; ${usd.toFixed(3)} USD per million files`,
  );
  expect(rows.written).toBeGreaterThan(5);
  expect(usd).toBeLessThanOrEqual(0.3);
});
