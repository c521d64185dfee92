import type { ComponentChildren } from "preact";

/** Longer tables are folded. */
const MOST_ROWS = 12;

export function Folded({
  rows,
  noun,
  children,
}: {
  rows: number;
  noun: string;
  children: ComponentChildren;
}) {
  if (rows <= MOST_ROWS) return <>{children}</>;
  return (
    <details>
      <summary>
        All {rows} {noun}
      </summary>
      {children}
    </details>
  );
}
