import type { IntakeHold } from "../memory/budget.ts";

/** Memory of one response: a page of lines, and its bytes in UTF-8. */
export const LINES_BYTES = 512 * 1024;
/** Maximum time in which the caller must read a page. */
const READ_WITHIN_MS = 30_000;

/**
 * Returns a stream of pages of text. A page is made when the caller has read the one before, so the length of the response
 * has no limit. Releases the memory at the end, or when the caller disconnects or stops reading.
 */
export function lineStream(
  pages: AsyncGenerator<string, void>,
  hold: IntakeHold,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stalled: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    clearTimeout(stalled);
    hold.release();
    void pages.return().catch(() => undefined);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        clearTimeout(stalled);
        try {
          let page = await pages.next();
          while (page.done !== true && page.value === "") page = await pages.next();
          if (page.done === true) {
            end();
            controller.close();
            return;
          }
          controller.enqueue(encoder.encode(page.value));
          stalled = setTimeout(() => {
            end();
            controller.error(new Error("the response was not read in time"));
          }, READ_WITHIN_MS);
        } catch (fault) {
          end();
          throw fault;
        }
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
