import type { Activity } from "../../activities/activity.ts";
import type { File } from "../../files/file.ts";
import { monthOf } from "../days.ts";
import { counted, hours } from "../format.ts";
import { addressOf } from "../router.ts";
import { Icon } from "./icon.tsx";

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/** Seconds of activity in a day from which its square has the next darker tone. */
const TONES = [0, 1_800, 3_600, 7_200];

/** Returns the day of an activity in its local time, or in UTC when its offset is unknown. */
export function dayOfActivity({ local_date, start_time_in_seconds: start }: Activity): string | null {
  if (local_date !== null) return local_date;
  return start === null ? null : new Date(start * 1_000).toISOString().slice(0, 10);
}

/** Returns the day in UTC on which a file was received, as the filter of the files counts it. */
const dayOfFile = ({ received_at }: File) => received_at.slice(0, 10);

/**
 * A month, with the activities of each day and the files that were received on it. A day with activities is a link that
 * selects it, and the number of files one to these files.
 */
export function Calendar({
  userId,
  month,
  selected,
  activities,
  files,
}: {
  userId: string;
  month: string;
  selected: string;
  activities: readonly Activity[];
  files: readonly File[];
}) {
  const { title, before, days, previous, next } = monthOf(month);
  const byDay = Map.groupBy(activities, dayOfActivity);
  const received = Map.groupBy(files, dayOfFile);
  const address = (query: Record<string, string>) => addressOf(["users", userId], query);
  return (
    <div class="calendar">
      <p class="months">
        <a class="step" href={address({ month: previous })}>
          <Icon name="previous" />
          <span class="unseen">Previous month</span>
        </a>
        <strong>{title}</strong>
        <a class="step" href={address({ month: next })}>
          <Icon name="next" />
          <span class="unseen">Next month</span>
        </a>
      </p>
      <ol>
        {WEEKDAYS.map((day) => (
          <li key={day} class="weekday" aria-hidden="true">
            {day}
          </li>
        ))}
        {Array.from({ length: before }, (_, index) => (
          <li key={index} aria-hidden="true" />
        ))}
        {days.map((day) => {
          const done = byDay.get(day) ?? [];
          const seconds = done.reduce(
            (sum, row) => sum + (row.timer_time_in_seconds ?? row.elapsed_time_in_seconds ?? 0),
            0,
          );
          const number = Number(day.slice(8));
          const filesOfDay = <FilesOfDay userId={userId} day={day} files={received.get(day) ?? []} />;
          if (done.length === 0) {
            return (
              <li key={day} class="day">
                <span class="date">{number}</span>
                {filesOfDay}
              </li>
            );
          }
          return (
            <li key={day} class={`day tone-${TONES.findLastIndex((from) => seconds >= from)}`}>
              <a
                class="date"
                href={address({ month, ...(day === selected ? {} : { day }) })}
                aria-current={day === selected ? "date" : undefined}
              >
                {number}
                <span class="unseen">: {counted(done.length, "activity", "activities")}, </span>
                <span class="sum">
                  {hours(seconds)}
                  <span class="unit"> h</span>
                </span>
              </a>
              {filesOfDay}
            </li>
          );
        })}
      </ol>
    </div>
  );
}

/** The number of files that were received on a day, and of those that failed. */
function FilesOfDay({ userId, day, files }: { userId: string; day: string; files: readonly File[] }) {
  if (files.length === 0) return null;
  const failed = files.filter(({ status }) => status === "failed").length;
  const address = (query: Record<string, string>) =>
    addressOf(["files"], { user_id: userId, from: day, to: day, ...query });
  return (
    <span class="received">
      <a href={address({})}>{counted(files.length, "file")}</a>
      {failed > 0 && (
        <a class="failed" href={address({ status: "failed" })}>
          {failed} failed
        </a>
      )}
    </span>
  );
}
