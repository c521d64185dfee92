import { NONE } from "../format.ts";
import { Table } from "./list.tsx";

export interface Column<Row> {
  name: string;
  isNumber?: true;
  of: (row: Row) => string;
}

/** A table without the columns that are empty in every row. */
export function ColumnTable<Row>({
  label,
  rows,
  columns,
}: {
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
}) {
  const shown = columns.filter(({ of }) => rows.some((row) => of(row) !== NONE));
  return (
    <Table
      scrolls
      label={label}
      head={shown.map(({ name, isNumber }) => (isNumber ? ([name, "number"] as const) : name))}
    >
      {rows.map((row, index) => (
        <tr key={index}>
          {shown.map(({ name, isNumber, of }) => (
            <td key={name} class={isNumber ? "number" : undefined}>
              {of(row)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}
