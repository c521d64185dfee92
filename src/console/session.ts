/** Credentials of the signed-in partner. Stored for this tab only, never in an address. */
export interface Session {
  partnerId: string;
  key: string;
}

const STORAGE_KEY = "partner-console";

export function readSession(): Session | null {
  const [partnerId, key] = (sessionStorage.getItem(STORAGE_KEY) ?? "").split("\n");
  return partnerId && key ? { partnerId, key } : null;
}

export function storeSession({ partnerId, key }: Session): void {
  sessionStorage.setItem(STORAGE_KEY, `${partnerId}\n${key}`);
}

export function endSession(): void {
  sessionStorage.removeItem(STORAGE_KEY);
}
