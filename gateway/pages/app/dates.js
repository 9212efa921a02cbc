// Days and instants of the contract, for people in Asia/Shanghai.

const ZONE = "Asia/Shanghai";
const OF_DAY = { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" };
const OF_INSTANT = { ...OF_DAY, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
const day = new Intl.DateTimeFormat("sv-SE", OF_DAY);
const instant = new Intl.DateTimeFormat("sv-SE", OF_INSTANT);

const DAY_MS = 86_400_000;

let aheadMs = 0; // of the server's clock; a phone's may be wrong
let aheadDays = 0; // of a service whose clock was started on another day, as a demo's may be

/** Learns from the Date header of an answer how far the clock here is off. */
export function learnClock(header) {
  const theirs = Date.parse(header ?? "");
  if (!Number.isNaN(theirs)) aheadMs = theirs - Date.now();
}

/** Learns which day it is for the service; a day more or less is only midnight in between. */
export function learnDay(date) {
  const days = (Date.parse(isoOf(date)) - Date.parse(today())) / DAY_MS;
  if (Math.abs(days) > 1) aheadDays += days;
}

/** The instant now, by the server's clock. */
export function now() {
  return new Date(Date.now() + aheadMs + aheadDays * DAY_MS);
}

/** Today in Asia/Shanghai: "2026-11-22". */
export function today() {
  return day.format(now());
}

/** {year, month, day} -> "2026-11-22"; "" where there is none. */
export function isoOf(date) {
  if (!date?.year) return "";
  const two = (number) => String(number).padStart(2, "0");
  return `${date.year}-${two(date.month)}-${two(date.day)}`;
}

/** "2026-11-22" -> {year, month, day}; undefined for "". */
export function dateOf(iso) {
  if (!iso) return undefined;
  const [year, month, dayOfMonth] = iso.split("-").map(Number);
  return { year, month, day: dayOfMonth };
}

/** An instant for people: "2026-11-22 12:04:19". */
export function moment(timestamp) {
  return timestamp ? instant.format(new Date(timestamp)) : "";
}

/** Hour and minute of an instant: "12:04". */
export function minuteOf(timestamp) {
  return moment(timestamp).slice(11, 16);
}
