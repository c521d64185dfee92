import { replaceActivities } from "../../src/activities/write.ts";
import { FILES_PER_BULK_DISPATCH } from "../../src/collector/dispatches/dispatch.pure.ts";
import { importFiles, type ImportedFile } from "../../src/files/write.ts";
import { DECODER_VERSION, decodeActivities } from "../../src/fit/index.ts";
import { fileId, randomId, userHash } from "../../src/identifiers.ts";
import { pingFields } from "../support/pings.ts";
import { rideFile } from "../support/rideFile.ts";
import { SOURCE } from "./client.ts";
import { median, timed, type Figure } from "./figures.ts";
import { startHost } from "./files.ts";
import { Benched } from "./imports.ts";
import { simulateMorning } from "./simulation.ts";
import { startWorkerd } from "./workerd.ts";

const WARM_UP_FILES = 50;
const HISTORY_FILES = 200;
const LIVE_RIDES = 9;
const BATCHES = 9;

/** Measures a dispatch, a live ride and their statements, then simulates a morning with these times. */
export async function simulateFigures(): Promise<Figure[]> {
  const host = await startHost();
  const worker = await startWorkerd({ entry: "src/index.ts", consumers: true });
  try {
    const benched = new Benched(worker, host);
    await benched.history(WARM_UP_FILES);
    const dispatchMs = (await benched.history(HISTORY_FILES)) / (HISTORY_FILES / FILES_PER_BULK_DISPATCH);
    const rides: number[] = [];
    for (let ride = 0; ride < LIVE_RIDES; ride += 1) rides.push(await benched.liveRide());
    const bulkStatementsMs = await statementsMs(worker.database, FILES_PER_BULK_DISPATCH);
    const liveStatementsMs = await statementsMs(worker.database, 1);
    return simulateMorning({
      bulkMs: Math.max(0, dispatchMs - bulkStatementsMs),
      liveMs: Math.max(0, median(rides) - liveStatementsMs),
      bulkStatementsMs,
      liveStatementsMs,
    });
  } finally {
    await worker.stop();
    await host.close();
  }
}

/** Returns the time to make files readable, beyond the time of an empty statement. */
async function statementsMs(database: D1Database, count: number): Promise<number> {
  const decoded = decodeActivities(rideFile({ seconds: 3_600 }), { fallbackStartInSeconds: null });
  if (!decoded.ok) throw new Error("The ride could not be decoded.");
  const partner_id = "bench";
  const took: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const user_id = `statements-${count}-${batch}`;
    const names = { user_id, source: SOURCE, ...pingFields({ activity_name: "Afternoon Ride" }) };
    const files = Array.from({ length: count }, (_, place): ImportedFile => {
      const summary_id = `ride-${place}`;
      const file_id = fileId({
        partnerId: partner_id,
        userId: user_id,
        source: SOURCE,
        summaryId: summary_id,
      });
      return {
        ...names,
        file_id,
        summary_id,
        user_hash: userHash(partner_id, user_id),
        status: "imported",
        attempts: 1,
        import_id: null,
        error: null,
        next_attempt_at: null,
        edits: null,
        version: 1,
        revision: 1,
        received_at: Date.now(),
        failed_object: null,
        object_key: `${partner_id}/${file_id}`,
        sha256: randomId(),
        size_in_bytes: 100_000,
        warnings: decoded.warnings,
        activity_count: decoded.activities.length,
        decoder_version: DECODER_VERSION,
      };
    });
    const batchId = randomId();
    const statements = [
      ...importFiles(database, partner_id, files, batchId),
      ...replaceActivities(
        database,
        partner_id,
        files.map((file) => ({ ...file, activities: decoded.activities })),
        batchId,
      ),
    ];
    const nothing = await timed(async () => database.batch([database.prepare("SELECT 1")]));
    took.push((await timed(async () => database.batch(statements))) - nothing);
  }
  return Math.max(0, median(took));
}
