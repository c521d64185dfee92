import type { Import } from "../../imports/import.ts";
import { addressOf } from "../router.ts";

export function ImportWarnings({ row }: { row: Import }) {
  return (
    <>
      {row.warnings.map((warning) => (
        <p key={warning} class="note">
          <Warning code={warning} row={row} />
        </p>
      ))}
    </>
  );
}

function Warning({ code, row }: { code: string; row: Import }) {
  if (code === "nothing_held") return <NothingHeld row={row} />;
  if (code === "no_event_url") return <>No endpoint receives the import's event, so it is not sent.</>;
  if (code === "endpoint_unverified")
    return <>The endpoint has not returned its challenge yet. The import's event waits until it has.</>;
  return <>{code}</>;
}

function NothingHeld({ row }: { row: Import }) {
  return (
    <>
      No file was held for this user under <code>{row.source}</code>, so the import has no files.{" "}
      <OtherSources row={row} />
    </>
  );
}

function OtherSources({ row: { user_id, held_under_other_source: others } }: { row: Import }) {
  if (others == null) return <>The user's other sources could not be checked.</>;
  if (others.length === 0) return <>No other source of the user had held files either.</>;
  return (
    <>
      The user had held files under{" "}
      {others.map((source, index) => (
        <span key={source}>
          {index === 0 ? "" : ", "}
          <a href={addressOf(["files"], { user_id, source, status: "held" })}>{source}</a>
        </span>
      ))}
      . If one of these is the right source, send the task again with it.
    </>
  );
}
