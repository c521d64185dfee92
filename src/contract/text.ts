import { z } from "@hono/zod-openapi";
import { MAX_NAME_CHARACTERS } from "./limits.ts";
import type { FaultCode } from "./fault.ts";

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Returns whether a text has at most this many characters, not UTF-16 units. Counts only when the result depends on
 * it.
 */
function hasAtMost(text: string, characters: number): boolean {
  if (text.length <= characters) return true;
  if (text.length > 2 * characters) return false;
  return Array.from(text).length <= characters;
}

/** Returns a schema of texts in which `faultOf` finds no fault. One check per text: a request may have 15,000 names. */
function checkedText(faultOf: (text: string) => { code: FaultCode; message: string } | null) {
  return z.string().superRefine((text, ctx) => {
    const fault = faultOf(text);
    if (fault !== null)
      ctx.addIssue({ code: "custom", params: { code: fault.code }, message: fault.message });
  });
}

/** Returns a schema of texts with at most this many characters. */
export function textOf(maxCharacters: number) {
  return checkedText((text) =>
    hasAtMost(text, maxCharacters)
      ? null
      : { code: "too_long", message: `The text is too long. Send at most ${maxCharacters} characters.` },
  ).openapi({ maxLength: maxCharacters });
}

function nameFault(text: string): { code: FaultCode; message: string } | null {
  if (text === "") return { code: "too_short", message: "The text is empty. Send at least one character." };
  if (!hasAtMost(text, MAX_NAME_CHARACTERS)) {
    return {
      code: "too_long",
      message: `The text is too long. Send at most ${MAX_NAME_CHARACTERS} characters.`,
    };
  }
  if (CONTROL.test(text))
    return { code: "control_character", message: "The text contains a control character. Remove it." };
  return text.isWellFormed()
    ? null
    : {
        code: "lone_surrogate",
        message: "The text contains half of a surrogate pair. Send well-formed Unicode.",
      };
}

const nameLength = { minLength: 1, maxLength: MAX_NAME_CHARACTERS };

/** A partner's id of a file, source or event. It is returned byte for byte. */
export const nameText = checkedText(nameFault).openapi(nameLength);

/** A partner's id of a user. It is also a path segment, so `.` and `..` are not allowed. */
export const userIdText = checkedText((text) =>
  text === "." || text === ".."
    ? { code: "invalid_value", message: "A user_id cannot be `.` or `..`. Send another id." }
    : nameFault(text),
).openapi(nameLength);
