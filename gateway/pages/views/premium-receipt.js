// Step 3 of a premium: the payment, who paid what and why, and the tax bureau's answer as it comes.

import { get } from "../app/api.js";
import { isoOf, moment } from "../app/dates.js";
import { table } from "../app/chart.js";
import { h, put } from "../app/dom.js";
import { problemBox } from "../app/forms.js";
import { money } from "../app/money.js";
import { who } from "../app/session.js";
import { rulesOf } from "../app/sources.js";
import { t, term } from "../app/words.js";
import { refundAsking, refundFacts, suspenseBox } from "./premium-refund.js";

const SUBMITTED = "PREMIUM_PAYMENT_STATE_SUBMITTED";
const LOOK_MS = { [SUBMITTED]: 2000, PREMIUM_PAYMENT_STATE_REFUND_REQUESTED: 10_000 }; // while somebody else decides
const GOOD = [SUBMITTED, "PREMIUM_PAYMENT_STATE_CONFIRMED"];

export async function show({ params: [id], signal }) {
  const { payment } = await get(`/v1/premium-payments/${id}`, {}, signal);
  return h("div", {}, h("h1", {}, t("receipt")), premiumReceipt(payment, signal));
}

/** The receipt of a payment; it follows the payment while the tax bureau or the agency decides. */
export function premiumReceipt(payment, signal) {
  const node = h("div", {});
  const outcome = h("div", { role: "status" });
  const rest = h("div", {});
  const refund = h("div", {});
  node.append(outcome, rest, refund);
  let state = "";
  function draw(now) {
    if (now.state === state) return;
    state = now.state;
    const isGood = GOOD.includes(state);
    put(outcome, h("div", { class: `outcome ${isGood ? "fine" : "note"}` },
      h("span", { class: "sign", "aria-hidden": "true" }, state === SUBMITTED ? "…" : isGood ? "✓" : "!"),
      h("h2", {}, term("PREMIUM_PAYMENT_STATE", state)),
      h("p", { class: "amount" }, money(now.payable_fen)),
      now.reject_reason && h("p", {}, now.reject_reason)));
    put(rest, now.in_suspense && suspenseBox(money(now.payable_fen), t("suspense-stays")), refusal(now), legs(now), facts(now),
      h("div", { class: "buttons" },
        h("button", { type: "button", class: "button", onclick: () => window.print() }, t("print")),
        who().role === "citizen" && h("a", { class: "button", href: "#/account" }, t("to-account"))));
    put(refund);
    refundAsking(now, changed).then((asking) => state === now.state && put(refund, asking), (problem) => put(refund, problemBox(problem)));
  }
  function changed(now) {
    draw(now);
    follow(now, signal, draw);
    outcome.scrollIntoView({ block: "center" });
  }
  draw(payment);
  follow(payment, signal, draw);
  return node;
}

async function follow({ payment_id, state }, signal, draw) {
  while (state in LOOK_MS) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS[state]));
    if (signal?.aborted) return;
    const { payment } = await get(`/v1/premium-payments/${payment_id}`, {}, signal).catch(() => ({}));
    if (payment) draw(payment);
    if (payment && payment.state !== state) return;
  }
}

/** A refund that the agency refused, and why; the payment is confirmed as before. */
function refusal({ state, refund }) {
  const isRefused = refund?.decision === "PREMIUM_REFUND_DECISION_REJECT" && state === "PREMIUM_PAYMENT_STATE_CONFIRMED";
  return isRefused && h("p", { class: "box note" }, t("refund-refused", { reason: refund.decision_reason }));
}

function facts(payment) {
  const rows = [
    ["for-whom", payment.beneficiary_name],
    ["year", `${payment.year} · ${term("INSURANCE", payment.insurance)}`],
    ["standard", money(payment.standard_fen)],
    ["subsidy", payment.subsidy_fen === "0" ? "" : money(payment.subsidy_fen)],
    ["paid-by", payment.donor_name || payment.external_channel],
    ["submitted-at", moment(payment.submitted_at)],
    ["answered-at", moment(payment.answered_at)],
    ["answer-due", payment.state === SUBMITTED ? isoOf(payment.answer_due_on) : ""],
    ["voucher", payment.tax_voucher_no],
    ["benefit-from", isoOf(payment.benefit_from)],
    ["wait-months", payment.wait_months ? String(payment.wait_months) : ""],
    ...refundFacts(payment),
    ["number", payment.payment_id],
    ["rules", rulesOf(payment.policy)],
  ];
  return h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([key, value]) =>
    h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))));
}

function legs(payment) {
  const rows = [];
  if (payment.subsidy_fen !== "0") rows.push([t("public-finance"), t("subsidy-why"), money(payment.subsidy_fen)]);
  for (const leg of payment.legs) {
    rows.push([`${payment.donor_name} · ${term("ACCOUNT_KIND", leg.account_kind)}`, t("leg-why"), money(leg.amount_fen)]);
  }
  return rows.length > 0 && table(t("who-paid"), [t("who"), t("why"), t("amount")], rows, [2]);
}
