/** Whether the check of the integration has passed since this page was opened, by partner. */
const passed = new Set<string>();

export function notePassed(partnerId: string): void {
  passed.add(partnerId);
}

export function hasPassed(partnerId: string): boolean {
  return passed.has(partnerId);
}
