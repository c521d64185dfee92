import { useMemo, useState } from "preact/hooks";
import { plainTick, ticksBetween } from "./scale.ts";

export interface Bar {
  /** Ends on the horizontal axis. Gaps between bars stay empty. */
  from: number;
  to: number;
  /** Null for a bar without a height. */
  value: number | null;
  /** Class with the color of the bar. */
  tone: string;
  /** What the bar shows, for the line below. */
  text: string;
}

const WIDTH = 1000;
const HEIGHT = 100;
/** Part of the height that the highest bar fills. */
const TOP = 0.94;

/** Draws bars. The pointer, a finger or the arrow keys choose one, whose text is shown. A click picks it. */
export function Bars({
  label,
  noun,
  bars,
  paceMeters,
  format,
  captions,
  onChosen,
  onPick,
}: {
  label: string;
  /** Name of one bar, such as `Lap`. */
  noun: string;
  bars: readonly Bar[];
  /** Distance of the pace that speeds are shown as. Null for other values. */
  paceMeters: number | null;
  /** Returns a pace. Other values are plain numbers. */
  format?: (value: number) => string;
  /** Texts below the bars, one each. */
  captions?: readonly string[];
  onChosen?: ((index: number) => void) | undefined;
  onPick?: ((index: number) => void) | undefined;
}) {
  const [chosen, setChosen] = useState<number | null>(null);
  const start = bars.reduce((least, { from }) => Math.min(least, from), Infinity);
  const end = bars.reduce((most, { to }) => Math.max(most, to), -Infinity);
  const highest = bars.reduce((most, { value }) => Math.max(most, value ?? 0), 0) / TOP;
  const x = (at: number) => ((at - start) / (end - start)) * WIDTH;
  const choose = (index: number) => {
    setChosen(index);
    onChosen?.(index);
  };
  const ticks = ticksBetween(paceMeters === null ? 0 : highest / 3, highest, paceMeters).filter(
    (tick) => tick > 0,
  );
  const still = useMemo(
    () =>
      bars.map((bar, index) => {
        const height = bar.value === null ? 2 : (bar.value / highest) * HEIGHT;
        return (
          <rect
            key={index}
            class={`bar ${bar.tone}`}
            x={x(bar.from)}
            y={HEIGHT - height}
            width={Math.max(1, x(bar.to) - x(bar.from))}
            height={height}
          />
        );
      }),
    [bars],
  );
  if (!(end > start) || highest === 0) return null;
  const shown = chosen === null ? null : (bars[chosen] ?? null);
  const pointed = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const at = start + ((event.clientX - box.left) / box.width) * (end - start);
    return bars.findIndex(({ from, to }) => at >= from && at < to);
  };
  const moved = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    const index = pointed(event);
    if (index >= 0 && index !== chosen) choose(index);
  };
  return (
    <div class="bars">
      <div class="plot">
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={label}
          class={onPick === undefined ? undefined : "picks"}
          onPointerMove={moved}
          onPointerDown={moved}
          onClick={() => chosen !== null && onPick?.(chosen)}
        >
          {ticks.map((tick) => (
            <line
              key={tick}
              x1={0}
              x2={WIDTH}
              y1={HEIGHT * (1 - tick / highest)}
              y2={HEIGHT * (1 - tick / highest)}
            />
          ))}
          {still}
          {shown === null ? null : (
            <rect
              class="chosen"
              x={x(shown.from)}
              y={0}
              width={x(shown.to) - x(shown.from)}
              height={HEIGHT}
            />
          )}
        </svg>
        <svg class="ticks" aria-hidden="true">
          {ticks.map((tick) => (
            <text key={tick} x="100%" y={`${100 * (1 - tick / highest)}%`} dy={4}>
              {format?.(tick) ?? plainTick(tick, ticks)}
            </text>
          ))}
        </svg>
      </div>
      {captions === undefined ? null : (
        <ul class="captions" aria-hidden="true">
          {captions.map((caption) => (
            <li key={caption}>{caption}</li>
          ))}
        </ul>
      )}
      <div class="chooser">
        <label>
          <span class="unseen">{noun}</span>
          <input
            type="range"
            min={0}
            max={bars.length - 1}
            value={chosen ?? 0}
            aria-valuetext={shown?.text ?? "none"}
            onInput={(event) => choose(Number(event.currentTarget.value))}
          />
        </label>
        <output>{shown?.text ?? `Point at a bar to see the ${noun.toLowerCase()}.`}</output>
      </div>
    </div>
  );
}

/** Joins the known parts of a text. */
export function joined(parts: readonly (string | null)[]): string {
  return parts.filter((part) => part !== null && part !== "" && part !== "–").join(" · ");
}
