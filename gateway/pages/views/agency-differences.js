// What the institutions' books and ours say differently, and how each was put right.

import { all } from "../app/api.js";
import { table } from "../app/chart.js";
import { isoOf, moment } from "../app/dates.js";
import { askForm } from "../app/dialog.js";
import { h } from "../app/dom.js";
import { action, choice, field } from "../app/forms.js";
import { money } from "../app/money.js";
import { send } from "../app/sending.js";
import { t, term } from "../app/words.js";
import { firstOf } from "./agency-first.js";

const MOST = 500;
const HERE = "DIFFERENCE_RESOLUTION_CORRECTED_HERE";
const WAYS = ["CORRECTED_HERE", "CORRECTED_THERE", "EXPLAINED"];

/** The open ones as a table to work through; those put right are folded away. */
export async function differences({ region, redraw }) {
  const [open, resolved] = await Promise.all(["OPEN", "RESOLVED"].map((state) =>
    all("/v1/differences", { region, states: `DIFFERENCE_STATE_${state}` }, "differences", MOST)));
  return [
    open.length ? openTable(open, redraw) : h("p", { class: "soft" }, t("nothing-waits")),
    resolved.length > 0 && h("details", {}, h("summary", {}, t("resolved-count", { count: resolved.length })), resolvedTable(resolved)),
  ];
}

function openTable(open, redraw) {
  const rows = open.map((one) => [
    isoOf(one.date), one.institution_code, term("DIFFERENCE_KIND", one.kind), whatRow(one),
    amount(one.there), amount(one.here), action(t("resolve"), () => resolve(one, redraw), { "aria-label": t("resolve-row", { row: rowName(one) }) }),
  ]);
  return table(t("differences-open", { count: open.length }),
    [t("day"), t("institution"), t("difference-kind"), t("number"), t("there"), t("here"), t("todo")], rows, [4, 5]);
}

function resolvedTable(resolved) {
  const rows = resolved.reverse().map((one) => [
    isoOf(one.date), one.institution_code, term("DIFFERENCE_KIND", one.kind), whatRow(one),
    term("DIFFERENCE_RESOLUTION", one.resolution), h("span", { class: "words" }, one.note), [moment(one.resolved_at), one.resolved_by?.actor].filter(Boolean).join(" "),
  ]);
  return table(t("differences-resolved"),
    [t("day"), t("institution"), t("difference-kind"), t("number"), t("resolve-by"), t("note"), t("resolved-at")], rows);
}

/** Asks how it was put right, beside what both books say. */
function resolve(one, redraw) {
  const way = choice({
    name: "resolution", label: t("resolve-by"),
    options: WAYS.map((name) => [`DIFFERENCE_RESOLUTION_${name}`, term("DIFFERENCE_RESOLUTION", name), t(`way-${name}`)]),
  });
  const correction = field({ name: "correction", label: t("correction-number"), hint: t("correction-number-hint"), required: true, maxlength: 64 });
  const note = field({ name: "note", label: t("note"), hint: t("note-hint"), type: "textarea", required: true, maxlength: 400 });
  const suit = () => {
    const isHere = way.read() === HERE;
    correction.node.hidden = !isHere;
    correction.input.required = isHere;
  };
  way.node.addEventListener("change", suit);
  suit();
  const said = () => (way.read() === HERE ? `更正编号：${correction.read()}。${note.read()}` : note.read()); // kept as it is, in Chinese
  const step = firstOf(redraw);
  askForm(t("resolve-row", { row: rowName(one) }), {
    before: [books(one)],
    fields: [way, correction, note],
    button: t("resolve"),
    send: async () => {
      if (!way.read()) {
        way.fail(t("choose"));
        way.focus();
        return false;
      }
      const body = { resolution: way.read(), note: said() };
      return step.send(() => send(`difference:${one.difference_id}`, "POST", `/v1/differences/${one.difference_id}:resolve`, body));
    },
    done: step.done,
  });
}

function books({ here, there }) {
  const keys = ["total_fen", "fund_pay_fen", "account_pay_fen"];
  const cells = (row) => (row ? keys.map((key) => money(row[key])) : keys.map(() => "—"));
  return table(t("both-books"), [t("book"), t("total"), t("fund"), t("accounts-paid")],
    [[t("there"), ...cells(there)], [t("here"), ...cells(here)]], [1, 2, 3]);
}

function whatRow(one) {
  return [rowName(one), one.refund && h("span", { class: "state" }, t("refunds"))];
}

function rowName(one) {
  return one.request_id || one.settlement_id || one.there?.settlement_id || "—";
}

function amount(row) {
  return row ? [money(row.total_fen), h("small", {}, `${t("accounts-paid")} ${money(row.account_pay_fen)}`)] : "—";
}
