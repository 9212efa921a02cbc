// Step 3 of a purchase: who paid what and why. A donor sees only what was theirs.

import { get } from "../app/api.js";
import { table } from "../app/chart.js";
import { moment } from "../app/dates.js";
import { h } from "../app/dom.js";
import { money, sum } from "../app/money.js";
import { placeOf, rulesOf, whyList } from "../app/sources.js";
import { isEnglish, t, term } from "../app/words.js";
import { suspenseBox } from "./premium-refund.js";

export async function show({ params: [id], signal }) {
  const { settlement } = await get(`/v1/settlements/${id}`, {}, signal);
  const place = await placeOf(settlement.policy);
  return h("div", {}, h("h1", {}, t("receipt")),
    h("div", { class: "outcome fine" },
      h("h2", {}, settlement.institution_name),
      h("p", { class: "amount" }, money(settlement.breakdown?.total_fen ?? settlement.legs[0]?.amount_fen)),
      h("p", {}, term("SETTLEMENT_STATE", settlement.state))),
    suspended(settlement), whoPaid(settlement), facts(settlement), lines(settlement), refunds(settlement), why(settlement, place),
    h("div", { class: "buttons" },
      h("button", { type: "button", class: "button", onclick: () => window.print() }, t("print")),
      h("a", { class: "button", href: "#/records" }, t("tab-records"))));
}

function facts(one) {
  const rows = [
    ["for-whom", one.patient_name],
    ["visit", one.visit_type && term("VISIT_TYPE", one.visit_type)],
    ["happened", moment(one.occurred_at)],
    ["recorded", moment(one.recorded_at)],
    ["balance-after", one.own_balance_after_fen === undefined ? "" : money(one.own_balance_after_fen)],
    ["agent", one.agent?.name],
    ["number", one.settlement_id],
    ["rules", rulesOf(one.policy)],
  ];
  return h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([key, value]) =>
    h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))));
}

function whoPaid({ breakdown, legs }) {
  const rows = legs.map((leg) => [
    leg.account_owner === "ACCOUNT_OWNER_SELF" ? t("own-account") : t("relative-account", { name: leg.donor_name }),
    money(leg.amount_fen),
    leg.refunded_fen === "0" ? "" : money(leg.refunded_fen),
  ]);
  if (breakdown) {
    rows.unshift([t("fund"), money(breakdown.fund_pay_fen), ""]);
    rows.push([t("cash"), money(breakdown.cash_pay_fen), ""]);
  }
  return table(t("who-paid"), [t("who"), t("amount"), t("given-back")], rows, [1, 2]);
}

/** What of it was given back to a closed account of the reader's. */
function suspended({ refunds: back = [] }) {
  const waiting = back.flatMap((one) => one.legs).filter((leg) => leg.to_suspense);
  return waiting.length > 0 && suspenseBox(money(sum(waiting.map((leg) => leg.amount_fen))));
}

function lines({ lines: bought }) {
  if (!bought.length) return null;
  const rows = bought.map((one) => [
    one.name, term("CATALOG_CLASS", one.catalog_class), one.quantity, `¥${one.unit_price_yuan}`, money(one.amount_fen),
  ]);
  return table(t("bought"), [t("item"), t("class"), t("quantity"), t("price"), t("amount")], rows, [2, 3, 4]);
}

function refunds({ refunds: back }) {
  if (!back?.length) return null;
  const rows = back.map((one) => [moment(one.recorded_at), one.reason, money(one.breakdown?.total_fen ?? one.legs[0]?.amount_fen)]);
  return table(t("refunds"), [t("when"), t("reason"), t("amount")], rows, [2]);
}

function why({ explanation, warnings = [] }, place) {
  if (!explanation?.length) return null;
  const text = (one) => (isEnglish() ? one.text_en : one.text);
  return h("section", {}, h("h2", {}, t("why")),
    warnings.length > 0 && h("ul", { class: "box note" }, warnings.map((one) => h("li", {}, text(one)))),
    whyList(explanation, (one) => h("span", {}, text(one)), place));
}
