import { activityFile, T0 } from "./fitBuilder.ts";

/** A file with one of every message that the decoder reads. */
export function everythingFile(): Uint8Array {
  const file = activityFile()
    .message(12, [
      [0, "enum", 2],
      [1, "enum", 7],
    ])
    .message(23, [
      [0, "uint8", 1],
      [2, "uint16", 32],
      [27, "string", "strap"],
    ])
    .message(207, [[3, "uint8", 0]], { local: 6 })
    .fieldDescription(0, "Form Power", "uint16", [[15, "uint8", 7]])
    .message(21, [
      [253, "uint32", T0],
      [0, "enum", 0],
      [1, "enum", 0],
    ]);
  for (let second = 0; second < 24; second++) {
    file.record(
      second,
      [
        [0, "sint32", 500_000_000 + second],
        [1, "sint32", 100_000_000 + second],
        [5, "uint32", second * 800],
        [3, "uint8", 100 + second],
        [4, "uint8", 90],
        [53, "uint8", 64],
        [6, "uint16", 8_000],
        [73, "uint32", 8_000],
        [2, "uint16", 3_000],
        [13, "sint8", -5],
      ],
      { developer: [[0, 0, "uint16", 200 + second]], bigEndian: second % 2 === 1 },
    );
  }
  for (let second = 24; second < 30; second++) {
    file.record(null, [[3, "uint8", 100 + second]], { compressed: second });
    file.message(78, [[0, "uint16", [500, 510, 0xffff]]], { local: 7 });
  }
  const stamp = [253, "uint32", T0 + 20] as const;
  const milliseconds = [0, "uint16", 250] as const;
  file
    .message(290, [stamp, milliseconds, [1, "uint16", [510, 520]]], { local: 8 })
    .message(372, [stamp, milliseconds, [1, "uint16", [0x4000 | 510, 0x8000 | 2000, 520]]], { local: 9 });
  return file
    .lap([
      [2, "uint32", T0],
      [7, "uint32", 15_000],
      [9, "uint32", 12_000],
      [35, "uint16", 0],
      [32, "uint16", 1],
    ])
    .length([
      [2, "uint32", T0],
      [12, "enum", 1],
    ])
    .message(132, [
      [253, "uint32", T0],
      [9, "uint32", 1_024],
      [6, "uint8", 100],
    ])
    .message(132, [
      [6, "uint8", [101, 102]],
      [10, "byte", [0, 0x08, 0x0c]],
    ])
    .session()
    .message(34, [
      [253, "uint32", T0 + 600],
      [5, "uint32", T0 + 600 + 7200],
    ])
    .build();
}
