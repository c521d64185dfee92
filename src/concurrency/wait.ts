/** Resolves after so many milliseconds, by a timer of the invocation that waits. */
export async function wait(milliseconds: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
