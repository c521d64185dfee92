import { baseTypeOf, readDeveloperValue, type DeveloperFieldPosition } from "./decode.ts";
import type { DeveloperFields } from "./developerFields.ts";
import type { DecodedDeveloperField } from "./types.ts";

/** Developer fields of a session or lap message. Their descriptions can come later in the file. */
export interface DeveloperMessage {
  readonly view: DataView;
  /** Byte offset of the message's data. */
  readonly at: number;
  readonly littleEndian: boolean;
  readonly positions: readonly DeveloperFieldPosition[];
}

/** Returns the developer fields of a message that have a description and a valid value, in the order of the message. */
export function developerValuesOf(
  message: DeveloperMessage | undefined,
  fields: DeveloperFields,
): DecodedDeveloperField[] {
  if (message === undefined) return [];
  const { view, at, littleEndian } = message;
  return message.positions.flatMap((position) => {
    const description = fields.descriptionAt(position, at);
    if (description === undefined) return [];
    const { field_name: name, units = null, scale, offset, fit_base_type_id: type = 0xff } = description;
    const value = readDeveloperValue(view, at + position.at, {
      size: position.size,
      baseType: baseTypeOf(type),
      littleEndian,
      scale: scale || 1,
      offset: offset ?? 0,
    });
    const fallback = `field_${position.developerDataIndex}_${position.number}`;
    return value === null ? [] : [{ name: name ?? fallback, units, value }];
  });
}
