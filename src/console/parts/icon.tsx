/** Drawings of 16 by 16, in the color and about the size of the text beside them. Each stands beside words, or in a named button. */
const DRAWINGS = {
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 14 14",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  check: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  download: "M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9",
  next: "M6 3.5 10.5 8 6 12.5",
  previous: "M10 3.5 5.5 8 10 12.5",
  user: "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8zM2.8 14c.5-2.6 2.5-4 5.2-4s4.7 1.4 5.2 4",
  file: "M4 1.8h5.5L12.5 5v9.2H4zM9.3 1.8V5.2h3.2",
  activity: "M1.5 8.5h3L6.5 3l3.5 10 2-4.5h2.5",
  import: "M8 2v7M5 6.5 8 9.5l3-3M2.5 9v4.5h11V9",
  event:
    "M8 2.2c2.3 0 3.7 1.6 3.7 3.8 0 3.3 1.3 4 1.3 5H3c0-1 1.3-1.7 1.3-5C4.3 3.8 5.7 2.2 8 2.2zM6.6 13.5h2.8",
} as const;

export type IconName = keyof typeof DRAWINGS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={DRAWINGS[name]} />
    </svg>
  );
}
