import type { Import } from "../../imports/import.ts";
import { counted, number } from "../format.ts";

/** Progress bar of an import: settled files by outcome, and their count. */
export function Progress({ progressOf }: { progressOf: Import }) {
  const { total, pending: _pending, ...settledFiles } = progressOf.files;
  const outcomes = Object.entries(settledFiles);
  const settled = outcomes.reduce((sum, [, files]) => sum + files, 0);
  const whole = Math.max(1, total);
  let left = 0;
  return (
    <div class="progress">
      <svg
        viewBox="0 0 100 6"
        preserveAspectRatio="none"
        role="progressbar"
        aria-label={`Import of user ${progressOf.user_id}`}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={settled}
      >
        <rect class="track" width={100} height={6} />
        {outcomes.map(([outcome, files]) => {
          const width = total === 0 && outcome === "imported" ? 100 : (files / whole) * 100;
          const x = left;
          left += width;
          return <rect key={outcome} class={outcome} x={x} width={width} height={6} />;
        })}
      </svg>
      <span class="soft numbers">
        {number(settled)} of {counted(total, "file")}
      </span>
    </div>
  );
}
