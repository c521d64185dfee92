/** Appends the parameters that are not empty to an address: `/api/files/?status=failed`, `#/files?status=failed`. */
export function withQuery(address: string, parameters: Readonly<Record<string, string>>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== "");
  return given.length === 0 ? address : `${address}?${new URLSearchParams(given).toString()}`;
}
