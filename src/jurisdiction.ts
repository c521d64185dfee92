/** Jurisdictions of Cloudflare's stores. */
export const JURISDICTIONS = ["eu", "us", "fedramp"] as const;
type Jurisdiction = (typeof JURISDICTIONS)[number];

/** Variables that decide where Durable Objects store their data. */
interface Place {
  ENVIRONMENT: string;
  JURISDICTION: string;
}

/** Returns the jurisdiction of all stored data. Null for none. Throws for an unknown one, which a deployment refuses. */
export function jurisdictionOf({ JURISDICTION }: Pick<Place, "JURISDICTION">): Jurisdiction | null {
  if (JURISDICTION === "") return null;
  const known = JURISDICTIONS.find((name) => name === JURISDICTION);
  if (known === undefined) throw new Error("JURISDICTION names an unknown jurisdiction");
  return known;
}

/** Returns the Durable Objects of a class that store their data in the jurisdiction. Local ones have none. */
export function inJurisdiction<T extends Rpc.DurableObjectBranded | undefined>(
  objects: DurableObjectNamespace<T>,
  env: Place,
): DurableObjectNamespace<T> {
  const jurisdiction = env.ENVIRONMENT === "local" ? null : jurisdictionOf(env);
  return jurisdiction === null ? objects : objects.jurisdiction(jurisdiction);
}
