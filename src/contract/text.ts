import { z } from "@hono/zod-openapi";
import { MAX_NAME_CHARACTERS } from "./limits.ts";
import type { FaultCode } from "./fault.ts";

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Counts characters, not UTF-16 units; a long text is counted only where that can matter. */
function hasAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  if (text.length > 2 * characters) return false;
  return Array.from(text).length <= characters;
}

/** A text with whatever `faultOf` finds wrong with it; one check, because a request may hold 15,000 names. */
function checkedText(faultOf: (text: string) => { code: FaultCode; message: string } | null) {
  return z.string().superRefine((text, ctx) => {
    const fault = faultOf(text);
    if (fault !== null)
      ctx.addIssue({ code: "custom", params: { code: fault.code }, message: fault.message });
  });
}

/** A text of at most so many characters. */
export function textOf(maxCharacters: number) {
  return checkedText((text) =>
    hasAtMost(text, maxCharacters)
      ? null
      : { code: "too_long", message: `At most ${maxCharacters} characters.` },
  ).openapi({ maxLength: maxCharacters });
}

function nameFault(text: string): { code: FaultCode; message: string } | null {
  if (text === "") return { code: "too_short", message: "At least one character." };
  if (!hasAtMost(text, MAX_NAME_CHARACTERS)) {
    return { code: "too_long", message: `At most ${MAX_NAME_CHARACTERS} characters.` };
  }
  if (CONTROL.test(text))
    return { code: "control_character", message: "Control characters are not allowed." };
  return text.isWellFormed()
    ? null
    : { code: "lone_surrogate", message: "Half of a surrogate pair is not text." };
}

const nameLength = { minLength: 1, maxLength: MAX_NAME_CHARACTERS };

/** A name that partners gave and that is echoed byte for byte: a source, a file, an event. */
export const nameText = checkedText(nameFault).openapi(nameLength);

/** A user's name; it is also a path segment, and `.` and `..` are no segments. */
export const userIdText = checkedText((text) =>
  text === "." || text === ".."
    ? { code: "invalid_value", message: "A user_id cannot be `.` or `..`." }
    : nameFault(text),
).openapi(nameLength);
