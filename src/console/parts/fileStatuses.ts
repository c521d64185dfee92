import { titled } from "../format.ts";

/** Statuses by which the files of an import are shown. Empty: all. */
export const FILE_STATUSES_SHOWN = ["", "imported", "failed", "queued", "skipped"] as const;
export type ShownStatus = (typeof FILE_STATUSES_SHOWN)[number];

/** Returns the status of an address, or all. */
export function shownStatus(given: string | undefined): ShownStatus {
  return FILE_STATUSES_SHOWN.find((status) => status === given) ?? "";
}

export function titleOf(status: ShownStatus): string {
  return status === "" ? "All" : titled(status);
}
