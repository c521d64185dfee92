import type { Import } from "../../imports/import.ts";
import { number } from "../format.ts";

/** How far an import is: settled of all, by what became of them. */
export function Progress({ of }: { of: Import }) {
  const { total, pending: _pending, ...settledFiles } = of.files;
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
        aria-label={`Import for ${of.user_id}`}
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
        {number(settled)} of {number(total)}
      </span>
    </div>
  );
}
