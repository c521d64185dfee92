import { newAuthKey, type Partner } from "../../partners/partner.ts";
import { rotateKey } from "../../partners/rotate.ts";
import { object, sendExpecting, StepFailure, waitFor, type Target } from "../../verify/api.ts";
import { tinyRide } from "../../verify/tinyRide.ts";
import { newPartner, USUAL_SETTINGS } from "../newPartner.ts";
import type { Registry } from "../registries.ts";

/** Partner that stays across deployments. Its user has one ride from each release that was deployed. */
const CANARY = "canary";
const RIDE_SECONDS = 20;
const IMPORT_SECONDS = 90;
/** Age of a new ride. With it, no clock skew puts it in the future. */
const RIDE_AGE_SECONDS = 3_600;
/** Number of rides that are read, newest first. */
const READ_RIDES = 100;

/** Gives the partner `canary` a new key, which replaces its older keys. Creates the partner on a first deployment. */
export async function openCanary(
  url: string,
  registry: Registry,
  now: Date,
): Promise<Target & { isNew: boolean }> {
  const existing = await registry.read(CANARY);
  const key = newAuthKey();
  const created = newPartner(
    {
      partner_id: CANARY,
      name: "Rides that stay across deployments",
      ...USUAL_SETTINGS,
    },
    now,
  );
  await storeIn(registry, existing ?? created.partner, (newest) => rotateKey(newest, key, 0, now).partner);
  return { base: url, partnerId: CANARY, key, isNew: existing === null };
}

/** Removes the keys of the partner `canary`, so that they exist only during a smoke test. */
export async function closeCanary(registry: Registry): Promise<void> {
  const existing = await registry.read(CANARY);
  if (existing !== null) await storeIn(registry, existing, (newest) => ({ ...newest, keys: [] }));
}

/** Stores a partner, changed by `edit`. Throws a StepFailure if other changes always come first. */
export async function storeIn(
  registry: Registry,
  partner: Partner,
  edit: (newest: Partner) => Partner = () => partner,
): Promise<void> {
  const changed = await registry.change(partner, (newest) => ({ ok: true, partner: edit(newest) }));
  if (!changed.ok) throw new StepFailure(changed.problem);
}

/**
 * Reads the rides that earlier releases have stored, then imports one more for the next release. Throws a StepFailure when
 * a ride cannot be read.
 */
export async function checkCanary(target: Target & { isNew: boolean }, now: Date): Promise<void> {
  if (!target.isNew) await readRides(target);
  const startInSeconds = Math.floor(now.getTime() / 1_000) - RIDE_AGE_SECONDS;
  const ride = Buffer.from(tinyRide(startInSeconds, RIDE_SECONDS)).toString("base64");
  const accepted = await sendExpecting(target, "POST", "/api/fit_partner_ping/", 202, {
    activity_files: [
      {
        file_type: "FIT",
        activity_name: "Deployment",
        priority: 1,
        user_id: CANARY,
        source: CANARY,
        overwrite_mode: false,
        start_time_in_seconds: String(startInSeconds),
        callback_url: ride,
        summary_id: now.toISOString(),
      },
    ],
  });
  const [file] = dataOf(accepted, "files");
  await waitFor("The canary's ride was not imported", IMPORT_SECONDS, async () => {
    const { status } = await sendExpecting(target, "GET", `/api/files/${String(file?.["file_id"])}/`, 200);
    return status === "imported" ? true : null;
  });
}

async function readRides(target: Target): Promise<void> {
  const list = (path: string) => sendExpecting(target, "GET", path, 200);
  await list(`/api/users/${CANARY}/`);
  await list(`/api/files/?user_id=${CANARY}&limit=${READ_RIDES}`);
  await list(`/api/activities/?updated_since=2026-01-01T00:00:00Z&limit=${READ_RIDES}`);
  const activities = dataOf(await list(`/api/activities/?user_id=${CANARY}&limit=${READ_RIDES}`), "data");
  for (const { activity_id } of activities) {
    const path = `/api/activities/${String(activity_id)}/`;
    await list(path);
    await list(`${path}streams/`);
  }
}

function dataOf(body: Record<string, unknown>, name: string): Record<string, unknown>[] {
  const value = body[name];
  return Array.isArray(value) ? value.map(object) : [];
}
