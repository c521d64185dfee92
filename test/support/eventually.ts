/** Interval between two checks. */
const LOOK_EVERY_MS = 200;

/** Repeats a check until it returns a value, and returns it. Throws with `what` after the deadline. */
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
