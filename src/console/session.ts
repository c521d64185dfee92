/** Who is signed in: kept for this tab alone, and never in an address. */
export interface Session {
  partnerId: string;
  key: string;
}

const NAME = "partner-console";

export function readSession(): Session | null {
  const [partnerId, key] = (sessionStorage.getItem(NAME) ?? "").split("\n");
  return partnerId && key ? { partnerId, key } : null;
}

export function keepSession({ partnerId, key }: Session): void {
  sessionStorage.setItem(NAME, `${partnerId}\n${key}`);
}

export function endSession(): void {
  sessionStorage.removeItem(NAME);
}
