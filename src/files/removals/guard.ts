/**
 * Returns the SQL condition of every statement that writes a file: no deletion of the file covers the version. Both
 * parameters are SQL expressions. `?1` is the partner's id.
 */
export function notDeleted(fileId: string, version: string): string {
  return `NOT EXISTS (SELECT 1 FROM deleted_files d
    WHERE d.partner_id = ?1 AND d.file_id = ${fileId} AND d.before_version >= ${version})`;
}
