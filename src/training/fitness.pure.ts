import { BASELINE_DAYS, FATIGUE_DAYS, FITNESS_DAYS } from "./baseline.ts";

/** Earlier loads change today's fitness by less than a millionth. */
const DAYS_BEFORE = 20 * FITNESS_DAYS;

interface Loaded {
  day: number;
  load: { value: number } | null;
}

const rounded = (value: number) => Math.round(value * 100) / 100;

/**
 * Returns fitness, fatigue and form: exponentially weighted averages of the daily load over 42 and 7 days, and their
 * difference. average(today) = average(yesterday) + (load(today) - average(yesterday)) × (1 - e^(-1 / days)), from 0 on the day
 * before the first activity. The model is Banister's (Calvert, Banister, Savage and Bach, IEEE Transactions on Systems, Man
 * and Cybernetics SMC-6(2), 1976); the averages and their usual time constants are those of Allen and Coggan's
 * performance manager (Training and Racing with a Power Meter, 2nd edition, 2010, chapter 8).
 */
export function fitnessOf(counted: readonly Loaded[], today: number) {
  const loads = new Map<number, number>();
  for (const { day, load } of counted) loads.set(day, (loads.get(day) ?? 0) + (load?.value ?? 0));
  const days = {
    fitness: Array.from({ length: BASELINE_DAYS }, () => 0),
    fatigue: Array.from({ length: BASELINE_DAYS }, () => 0),
  };
  let [fitness, fatigue] = [0, 0];
  for (let day = today - BASELINE_DAYS - DAYS_BEFORE; day <= today; day += 1) {
    const load = loads.get(day) ?? 0;
    fitness += (load - fitness) * (1 - Math.exp(-1 / FITNESS_DAYS));
    fatigue += (load - fatigue) * (1 - Math.exp(-1 / FATIGUE_DAYS));
    const place = day - today + BASELINE_DAYS - 1;
    if (place >= 0) {
      days.fitness[place] = rounded(fitness);
      days.fatigue[place] = rounded(fatigue);
    }
  }
  return {
    days,
    now: { fitness: rounded(fitness), fatigue: rounded(fatigue), form: rounded(fitness - fatigue) },
  };
}
