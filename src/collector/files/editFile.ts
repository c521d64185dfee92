import { withChange, type EditChange } from "../../files/edits.pure.ts";
import type { FileProjection } from "../../files/write.ts";
import type { CollectorTurn } from "../turn.ts";
import { projectionOf } from "./projection.pure.ts";
import { newestOf } from "./versions.pure.ts";

/** Applies a partner's edit to a file in any state. Returns the file. Null for an unknown file. */
export function editFile(turn: CollectorTurn, fileId: string, change: EditChange): FileProjection | null {
  const { storage, identity, now } = turn;
  const file = storage.files.read([fileId]).get(fileId);
  if (file === undefined) return null;
  const edits = withChange(file.edits, change, newestOf(file).version, now);
  if (edits === file.edits) return projectionOf(identity, file);
  const edited = { ...file, edits };
  storage.files.write([edited]);
  storage.outbox.add([{ kind: "project_files", file_ids: [fileId] }]);
  turn.alarmBy(now + turn.clock.projectionDelayMs);
  return projectionOf(identity, edited);
}
