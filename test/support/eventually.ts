/** Between two looks: short against what is waited for, long against the cost of a look. */
const LOOK_EVERY_MS = 200;

/** Looks until something is there (not undefined) and gives it back; throws with `what` when it is late. */
export async function eventually<T>(
  what: string,
  deadlineInSeconds: number,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = Date.now() + deadlineInSeconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`Not within ${deadlineInSeconds} s: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_EVERY_MS);
    });
  }
}
