import type { Import } from "../../imports/import.ts";
import { number } from "../format.ts";

const KINDS = ["imported", "skipped", "failed"] as const;

/** How far an import is: settled of all, by what became of them. */
export function Progress({ of }: { of: Import }) {
  const { total } = of.files;
  const settled = KINDS.reduce((sum, kind) => sum + of.files[kind], 0);
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
        {KINDS.map((kind) => {
          const width = total === 0 && kind === "imported" ? 100 : (of.files[kind] / whole) * 100;
          const x = left;
          left += width;
          return <rect key={kind} class={kind} x={x} width={width} height={6} />;
        })}
      </svg>
      <span class="soft numbers">
        {number(settled)} of {number(total)}
      </span>
    </div>
  );
}
