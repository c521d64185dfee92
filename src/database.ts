import type { Env } from "./env.ts";

/**
 * The one door to D1. Every identifier begins with its user's route, so the read model can be split over
 * several databases by that prefix without moving an id; only this function would learn of it.
 * `route` is null for what spans all users of a partner.
 */
export function databaseFor(env: Pick<Env, "DB">, partnerId: string, route: string | null): D1Database {
  void partnerId;
  void route;
  return env.DB;
}
