// Clearing: the region's windows with what can be done to each, and the positions of one of them, as
// charts and as tables.

import { all, get } from "../app/api.js";
import { bars, sides, table } from "../app/chart.js";
import { dateOf, isoOf, moment, today } from "../app/dates.js";
import { askForm } from "../app/dialog.js";
import { h, latest, put } from "../app/dom.js";
import { action, field, showProblem, tick } from "../app/forms.js";
import { money } from "../app/money.js";
import { send } from "../app/sending.js";
import { t, term } from "../app/words.js";
import { firstOf } from "./agency-first.js";

const WINDOWS = 12;
const DRAWN = 10; // of the greatest; the table has all
const DAY_MS = 86_400_000;

/** The windows, newest first, and the positions of the newest, or of the one that is asked for. */
export async function windows({ region, signal, redraw }) {
  const { windows: found } = await get(`/v1/regions/${region}/windows`, { page_size: WINDOWS }, signal);
  if (!found.length) return h("p", { class: "soft" }, t("no-windows"));
  const place = h("div", { role: "region", "aria-label": t("positions"), tabindex: -1 });
  const fill = latest(place);
  const open = async (window, focus = true) => {
    await fill(() => positions(window));
    if (focus) place.querySelector("h3").focus();
  };
  open(found[0], false).catch((problem) => showProblem(place, problem));
  const oldestFirst = [...found].reverse().map((one) => ({ label: period(one), fen: one.payable_fen }));
  return [h("h3", {}, t("windows-chart")), bars(t("windows-chart"), oldestFirst), windowTable(found, open, redraw), place];
}

function windowTable(found, open, redraw) {
  const rows = found.map((one) => [
    period(one), stateOf(one), one.totals.settlements, money(one.totals.account_pay_fen), money(one.payable_fen), money(one.net_fen),
    String(one.open_differences),
    h("div", { class: "buttons tight" }, action(t("positions-short"), () => open(one), { "aria-label": `${t("positions")} ${period(one)}` }), nextStep(one, redraw)),
  ]);
  return table(t("windows-table"),
    [t("period"), t("state"), t("settlements"), t("accounts-paid"), t("payable-institutions"), t("net-regions"), t("differences-short"), t("todo")],
    rows, [2, 3, 4, 5, 6]);
}

function stateOf(one) {
  const state = one.state.replace("WINDOW_STATE_", "");
  const last = { CLOSED: one.closed_by, CONFIRMED: one.confirmed_by, SETTLED: one.settled_by }[state];
  const when = { CLOSED: one.closed_at, CONFIRMED: one.confirmed_at, SETTLED: one.settled_at }[state];
  return [h("span", { class: `state ${state === "SETTLED" ? "active" : ""}` }, term("WINDOW_STATE", state)),
    when && h("small", {}, [moment(when).slice(0, 16), last?.actor, one.payment_reference].filter(Boolean).join(" · "))];
}

/** What a window waits for: to be closed, confirmed, or paid. */
function nextStep(one, redraw) {
  const state = one.state.replace("WINDOW_STATE_", "");
  const key = { OPEN: "close-window", CLOSED: "confirm-window", CONFIRMED: "settle-window" }[state];
  if (!key) return null;
  const heading = `${t(key)} ${period(one)}`;
  return action(t(key), () => askStep(one, state, heading, redraw), { kind: "main", "aria-label": heading });
}

async function askStep(drawn, state, heading, redraw) {
  if (state === "OPEN") return askClose(drawn, redraw);
  const { window: one } = await get(`/v1/windows/${drawn.window_id}`); // differences may have been found since it was drawn
  const count = one.open_differences;
  const reference = field({ name: "payment_reference", label: t("payment-reference"), maxlength: 64 });
  const known = tick({ name: "known", label: t("late-differences-known", { count }) });
  const ways = {
    CLOSED: { verb: "confirm", fields: [], text: "confirm-window-text", body: () => ({}) },
    CONFIRMED: { verb: "settle", fields: [reference], text: "settle-window-text", body: () => ({ payment_reference: reference.read() }) },
  };
  const way = ways[state];
  const step = firstOf(redraw);
  askForm(heading, {
    before: [h("p", {}, t(way.text, { payable: money(one.payable_fen), net: money(one.net_fen) })),
      count > 0 && h("p", { class: "box note" }, t("late-differences", { count }))],
    fields: count > 0 ? [...way.fields, known] : way.fields,
    button: heading,
    send: async () => {
      if (count > 0 && !known.read()) {
        known.fail(t("needed"));
        known.focus();
        return false;
      }
      return step.send(() => send(`window:${state}:${one.window_id}`, "POST", `/v1/windows/${one.window_id}:${way.verb}`, way.body()));
    },
    done: step.done,
  });
}

/** Asks for the last day; heading and button name the days that it closes, and a note what is left of the window. */
function askClose(one, redraw) {
  const [first, end] = [isoOf(one.first_day), isoOf(one.last_day)];
  const yesterday = moved(today(), -1);
  const lastDay = field({ name: "last_day", label: t("last-day"), type: "date", required: true, min: first,
    max: end < yesterday ? yesterday : end, value: end });
  const note = h("div", { role: "status" });
  const naming = (last) => `${t("close-window")} ${days(first, last)}`;
  const choose = (last) => {
    lastDay.input.value = last;
    told();
    lastDay.focus();
  };
  function told() {
    const last = lastDay.read() || end;
    const shorter = yesterday >= first && h("button", { type: "button", class: "button", onclick: () => choose(yesterday) }, t("close-shorter", { days: days(first, yesterday) }));
    const whole = h("button", { type: "button", class: "button", onclick: () => choose(end) }, t("close-whole", { days: days(first, end) }));
    const rest = last < end && days(moved(last, 1), end);
    put(note, last !== end && h("div", { class: "box note" }, h("p", {}, t(rest ? "close-part" : "close-longer", { days: days(first, last), rest, end })), whole),
      last >= today() && h("div", { class: "box note" }, h("p", {}, t("close-not-over", { last })), shorter));
    const dialog = note.closest("dialog");
    if (!dialog) return;
    dialog.setAttribute("aria-label", naming(last));
    dialog.querySelector("h2").textContent = naming(last);
    dialog.querySelector("[type=submit]").textContent = naming(last);
  }
  lastDay.input.addEventListener("input", told);
  told();
  const step = firstOf(redraw);
  askForm(naming(end), {
    before: [h("p", {}, t("close-window-text", { count: one.open_differences })), note],
    fields: [lastDay],
    button: naming(end),
    send: () => step.send(() => send(`window:OPEN:${one.window_id}`, "POST", `/v1/regions/${one.region}/windows:close`,
      { window_id: one.window_id, last_day: dateOf(lastDay.read()) })),
    done: step.done,
  });
}

/** What one window's region pays to institutions, and owes to or gets from other regions. */
async function positions(window) {
  const found = await all(`/v1/windows/${window.window_id}/positions`, {}, "positions", 5000);
  const institutions = found.filter((one) => one.kind === "POSITION_KIND_INSTITUTION");
  const regions = found.filter((one) => one.kind === "POSITION_KIND_REGION");
  const heading = h("h3", { tabindex: -1 }, `${t("positions")} ${period(window)}`);
  if (!found.length) return [heading, h("p", { class: "soft" }, t("no-positions"))];
  return [
    heading,
    window.state === "WINDOW_STATE_OPEN" && h("p", { class: "soft small" }, t("positions-open")),
    h("div", { class: "pair" },
      part("positions-institutions", institutions, bars, "payable_fen", {
        payable: (one) => one.payable_fen, "of-fund": (one) => String(-BigInt(one.fund_fen)), "of-accounts": (one) => String(-BigInt(one.account_fen)),
      }),
      part("positions-regions", regions, sides, "net_fen", {
        payable: (one) => one.payable_fen, receivable: (one) => one.receivable_fen, net: (one) => one.net_fen,
        "of-fund": (one) => one.fund_fen, "of-accounts": (one) => one.account_fen,
      })),
  ];
}

/** The chart of what is greatest in `amount`, and the table of all; `columns` are amounts by their heading. */
function part(key, found, draw, amount, columns) {
  if (!found.length) return null;
  const size = (one) => Number(one[amount].replace("-", "")); // to put them in order
  const greatest = [...found].sort((one, other) => size(other) - size(one)).slice(0, DRAWN);
  const rows = found.map((one) => [
    [nameOf(one), h("small", {}, one.institution_code || one.counter_region)],
    ...Object.values(columns).map((read) => money(read(one))), one.journals,
  ]);
  const headings = [t("who"), ...Object.keys(columns).map((name) => t(name)), t("journals")];
  const title = found.length > DRAWN ? t("greatest-of", { title: t(key), drawn: DRAWN, all: found.length }) : t(key);
  return h("div", {}, h("h4", {}, t(key)),
    draw(title, greatest.map((one) => ({ label: nameOf(one), fen: one[amount] }))),
    table(t(`${key}-table`), headings, rows, headings.map((_, place) => place).slice(1)));
}

function nameOf(one) {
  return one.name || one.institution_code || one.counter_region;
}

function period(window) {
  return days(isoOf(window.first_day), isoOf(window.last_day));
}

function days(first, last) {
  return `${first} – ${first.slice(0, 4) === last.slice(0, 4) ? last.slice(5) : last}`;
}

function moved(iso, by) {
  return new Date(Date.parse(iso) + by * DAY_MS).toISOString().slice(0, 10);
}
