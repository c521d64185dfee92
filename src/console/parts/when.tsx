import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { exactTime, NONE, relativeTime } from "../format.ts";

const EVERY_MS = 15_000;
const TIP_ID = "exact-time";

/**
 * How long ago an instant was. Its date, time and zone appear while the pointer or the focus is on it. `isStill` keeps it
 * out of the tab order, for lists: there the exact time appears while the focus is on a link of its row. Children replace
 * the age.
 */
export function When({
  at,
  isStill = false,
  children,
}: {
  at: string | null | undefined;
  isStill?: boolean;
  children?: ComponentChildren;
}) {
  const [, setNow] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setNow(Date.now()), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  if (at == null) return <>{NONE}</>;
  return (
    <time class="when" dateTime={at} tabIndex={isStill ? undefined : 0}>
      {children ?? relativeTime(at)}
    </time>
  );
}

/** Returns the time that an element shows, is in, or has in its row. */
function timeOf(target: EventTarget | null, isFocus: boolean): HTMLTimeElement | null {
  if (!(target instanceof Element)) return null;
  const own = target.closest<HTMLTimeElement>("time.when");
  if (own !== null || !isFocus || target.localName !== "a") return own;
  const row = target.closest("tr, li");
  return target.querySelector<HTMLTimeElement>("time.when") ?? row?.querySelector("time.when") ?? null;
}

/** The exact time of the `When` under the pointer or the focus. The page has one, which no table cuts off. */
export function ExactTime() {
  const tip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let shown: HTMLTimeElement | null = null;
    const show = (time: HTMLTimeElement | null) => {
      const { current } = tip;
      if (current === null || time === shown) return;
      shown?.removeAttribute("aria-describedby");
      shown = time;
      current.hidden = time === null;
      if (time === null) return;
      time.setAttribute("aria-describedby", TIP_ID);
      current.textContent = exactTime(time.dateTime);
      const box = time.getBoundingClientRect();
      const left = Math.min(box.left, document.documentElement.clientWidth - current.offsetWidth - 8);
      const fitsAbove = box.top - current.offsetHeight - 6 >= 0;
      current.style.left = `${Math.max(8, left)}px`;
      current.style.top = `${fitsAbove ? box.top - current.offsetHeight - 6 : box.bottom + 6}px`;
    };
    const hide = () => show(null);
    const stopped = new AbortController();
    const options = { capture: true, passive: true, signal: stopped.signal };
    addEventListener("pointerover", ({ target }) => show(timeOf(target, false)), options);
    addEventListener("focusin", ({ target }) => show(timeOf(target, true)), options);
    addEventListener("focusout", hide, options);
    addEventListener("scroll", hide, options);
    addEventListener("hashchange", hide, options);
    addEventListener("keydown", ({ key }) => void (key === "Escape" && hide()), options);
    return () => stopped.abort();
  }, []);
  return <div ref={tip} id={TIP_ID} class="tip" role="tooltip" hidden />;
}
