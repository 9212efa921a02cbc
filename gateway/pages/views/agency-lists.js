// The lists an agency works through, each with what can be decided there.

import { all, get } from "../app/api.js";
import { table } from "../app/chart.js";
import { isoOf, moment } from "../app/dates.js";
import { h } from "../app/dom.js";
import { action, field, form } from "../app/forms.js";
import { money } from "../app/money.js";
import { send } from "../app/sending.js";
import { t, term } from "../app/words.js";

/** Risk signals that wait, with their evidence. */
export async function risks({ region, redraw }) {
  const signals = await all(`/v1/regions/${region}/risk-signals`, { states: "RISK_SIGNAL_STATE_OPEN" }, "signals", 200);
  return list(signals, (one) => [
    h("h3", {}, term("RISK_RULE", one.rule), " ", h("span", { class: "state suspended" }, term("RISK_ACTION", one.action))),
    h("p", { class: "soft small" }, `${moment(one.raised_at)} · ${t("measured", { measured: one.measured, threshold: one.threshold })}`),
    h("ul", { lang: "zh-CN" }, one.evidence.map((fact) => h("li", {}, fact.text))),
    decide(one.signal_id, `/v1/risk-signals/${one.signal_id}:resolve`, "resolution", redraw,
      [["RISK_RESOLUTION_RELEASE", "release"], ["RISK_RESOLUTION_CONFIRM", "confirm-misuse"]]),
  ]);
}

/** Money that came back for closed accounts. */
export async function suspense({ region, redraw }) {
  const items = await all(`/v1/regions/${region}/suspense`, { states: "SUSPENSE_STATE_OPEN" }, "items", 200);
  return list(items, (one) => {
    const way = field({ name: "way", label: t("resolve-by"), required: true, value: "transfer_to_account_id",
      options: ["transfer_to_account_id", "payout_reference"].map((key) => [key, t(key)]) });
    const target = field({ name: "target", label: t("resolve-target"), required: true, maxlength: 64 });
    const reason = field({ name: "reason", label: t("reason"), required: true, maxlength: 500 });
    const resolve = async () => {
      const body = { [way.read()]: target.read(), reason: reason.read() };
      await send(`suspense:${one.suspense_id}`, "POST", `/v1/suspense/${one.suspense_id}:resolve`, body);
      await redraw();
    };
    return [
      h("h3", {}, money(one.amount_fen)),
      h("p", { class: "soft small" }, `${moment(one.recorded_at)} · ${t("account")} ${one.account_id}`),
      form({ fields: [way, target, reason], button: t("resolve"), send: resolve }).node,
    ];
  });
}

/** Corrections that wait for a second person. */
export async function adjustments({ region, redraw }) {
  const waiting = await all(`/v1/regions/${region}/adjustments`, { states: "ADJUSTMENT_STATE_PROPOSED" }, "adjustments", 200);
  return list(waiting, (one) => [
    h("h3", {}, money(one.amount_fen)),
    h("p", {}, one.reason),
    h("p", { class: "soft small" }, `${t("proposed-by", { actor: one.proposed_by.actor })} · ${moment(one.proposed_at)} · ${t("account")} ${one.account_id}`),
    decide(one.adjustment_id, `/v1/adjustments/${one.adjustment_id}:decide`, "decision", redraw,
      [["ADJUSTMENT_DECISION_APPROVE", "approve"], ["ADJUSTMENT_DECISION_REJECT", "reject"]]),
  ]);
}

/** What the institutions' books and ours say differently. */
export async function differences({ region, signal }) {
  const { differences: found } = await get("/v1/differences", { region, page_size: 200 }, signal);
  const rows = found.map((one) => [isoOf(one.date), one.institution_code, one.request_id || one.settlement_id, term("DIFFERENCE_STATE", one.state), one.note]);
  return rows.length ? table(t("differences"), [t("day"), t("institution"), t("number"), t("state"), t("reason")], rows) : none();
}

/** The positions of the latest clearing window. */
export async function positions({ region, signal }) {
  const { windows } = await get(`/v1/regions/${region}/windows`, { page_size: 1 }, signal);
  if (!windows.length) return none();
  const [window] = windows;
  const found = await all(`/v1/windows/${window.window_id}/positions`, {}, "positions");
  const rows = found.map((one) => [one.name || one.counter_region, money(one.payable_fen), money(one.receivable_fen), money(one.net_fen)]);
  return [
    h("p", {}, `${isoOf(window.first_day)} – ${isoOf(window.last_day)} · ${term("WINDOW_STATE", window.state)}`),
    table(t("positions"), [t("who"), t("payable"), t("receivable"), t("net")], rows, [1, 2, 3]),
  ];
}

function list(things, show) {
  return things.length ? h("ul", { class: "plain" }, things.map((one) => h("li", { class: "work" }, show(one)))) : none();
}

function none() {
  return h("p", { class: "soft" }, t("nothing-waits"));
}

/** A reason and the buttons that decide; the first of them is the form's own. */
function decide(id, path, key, redraw, [[first, firstText], [second, secondText]]) {
  const reason = field({ name: "reason", label: t("reason"), required: true, maxlength: 500 });
  const by = (value) => async () => {
    if (!reason.read()) {
      reason.fail(t("needed"));
      return reason.focus();
    }
    await send(`decide:${id}`, "POST", path, { [key]: value, reason: reason.read() });
    return redraw();
  };
  const { node, problems } = form({ fields: [reason], button: t(firstText), send: by(first), kind: "plain" });
  node.querySelector(".buttons").append(action(t(secondText), by(second), { kind: "danger", problems }));
  return node;
}
