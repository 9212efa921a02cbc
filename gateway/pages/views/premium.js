// A relative's premium: what a year costs and why, and paying it from the account.

import { get } from "../app/api.js";
import { sure } from "../app/dialog.js";
import { isoOf, today } from "../app/dates.js";
import { h, put } from "../app/dom.js";
import { action, problemBox } from "../app/forms.js";
import { money } from "../app/money.js";
import { bindingsOf, isCurrent, nameOf, personOf, policyOf, regionOf } from "../app/people.js";
import { go } from "../app/router.js";
import { send } from "../app/sending.js";
import { who } from "../app/session.js";
import { whyList } from "../app/sources.js";
import { isEnglish, listed, t, term } from "../app/words.js";

export async function show({ params: [beneficiaryId], signal }) {
  const { subject } = who();
  const done = ({ payment }) => go(`#/premium-receipt/${payment.payment_id}`);
  return h("div", {}, h("h1", {}, t("pay-premium")), await premium({ donorId: subject, beneficiaryId, signal, done }));
}

/** Quotes of this year and the next for one relative, and the way to pay one of them. */
export async function premium({ donorId, beneficiaryId, signal, done }) {
  const [donor, bindings] = await Promise.all([personOf(donorId, signal), bindingsOf({ donor_id: donorId }, signal)]);
  const policy = await policyOf(regionOf(donor));
  const bound = bindings.filter((one) => one.beneficiary_id === beneficiaryId);
  const binding = bound.find(isCurrent) ?? bound.at(-1);
  const name = binding ? nameOf(binding) : "";
  const insurances = policy.values["premium.insurances"] ?? ["RESIDENT"];
  const year = Number(today().slice(0, 4));
  const asked = insurances.flatMap((insurance) => [year + 1, year].map((one) => ({ insurance: `INSURANCE_${insurance}`, year: one })));
  const problems = h("div", {}); // outlives the cards, which are drawn anew when a price has changed
  const node = h("div", { class: "quotes" });
  async function draw() {
    const quotes = await Promise.all(asked.map(async (one) => {
      const quote = await get(`/v1/persons/${beneficiaryId}/premium-quote`, one, signal).catch((problem) => ({ problem }));
      if (quote.problem?.status === 401) throw quote.problem;
      return { ...one, ...quote };
    }));
    put(node, quotes.map((quote) => card(quote, { donor, beneficiaryId, name, region: policy.region_name, done, draw, problems })));
  }
  await draw();
  return h("div", {},
    name && h("p", { class: "big" }, t("premium-for", { name })),
    h("p", { class: "soft" }, t("premium-residents")), problems, node);
}

function card(quote, ways) {
  const title = h("h2", {}, `${quote.year} · ${term("INSURANCE", quote.insurance)}`);
  if (quote.problem) return h("section", { class: "card quote" }, title, problemBox(quote.problem));
  const payer = quote.payers.find((one) => one.donor_id === ways.donor.person_id);
  const isPayable = !quote.paid && (quote.in_window || quote.late) && !quote.maintenance;
  return h("section", { class: "card quote" }, title,
    h("p", { class: "amount" }, money(quote.payable_fen)),
    h("dl", { class: "facts" }, facts(quote).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    why(quote.why, ways.region),
    quote.paid && h("p", { class: "box fine" }, t("year-paid")),
    quote.maintenance && h("p", { class: "box note" }, t("maintenance", { channels: listed(quote.maintenance.other_channels) })),
    !quote.paid && !isPayable && !quote.maintenance && h("p", { class: "box note" }, t("not-in-window")),
    payer && !payer.can_pay && !quote.paid && h("div", { class: "box note" }, h("strong", {}, t("can-not-pay")), isEnglish() && h("p", {}, t("chinese-reasons")),
      h("ul", { lang: "zh-CN" }, payer.obstacles.map((one) => h("li", {}, one)))),
    isPayable && payer?.can_pay && payButton(quote, ways));
}

function facts(quote) {
  const day = (date) => h("span", { class: "whole" }, isoOf(date));
  const window = quote.window && [day(quote.window.from), " – ", day(quote.window.to)];
  return [
    ["standard", money(quote.standard_fen)],
    ["subsidy", quote.subsidy_fen === "0" ? "" : money(quote.subsidy_fen)],
    ["window", window],
    ["benefit-from", isoOf(quote.benefit_from)],
    ["wait-months", quote.wait_months ? String(quote.wait_months) : ""],
    ["refund-until", isoOf(quote.refund_until)],
    ["carried", quote.carried_forward ? t("carried-text") : ""],
  ].filter(([, value]) => value);
}

function why(steps, region) {
  if (!steps.length) return null;
  return h("details", {}, h("summary", {}, t("why")),
    whyList(steps, (one) => [h("span", { lang: "zh-CN" }, one.text), one.amount_fen !== "0" && h("b", {}, ` ${money(one.amount_fen)}`)], region));
}

function payButton(quote, { donor, beneficiaryId, name: whom, done, draw, problems }) {
  const donorId = donor.person_id;
  const amount = money(quote.payable_fen);
  const pay = async () => {
    if (!(await sure(t("sure-title"), summary(quote, donor, whom), t("debit-now", { amount })))) return;
    const body = {
      donor_id: donorId, beneficiary_id: beneficiaryId, year: quote.year, insurance: quote.insurance,
      expected_payable_fen: quote.payable_fen,
    };
    const name = `premium:${donorId}:${beneficiaryId}:${quote.year}:${quote.insurance}`;
    try {
      done(await send(name, "POST", "/v1/premium-payments", body));
    } catch (problem) {
      if (problem.reason === "PREVIEW_OUTDATED") await draw();
      throw problem;
    }
  };
  return action(t("pay-now", { amount }), pay, { kind: "main wide", problems });
}

/** What is about to be paid: for whom, which year, how much, and out of whose account. */
function summary(quote, donor, whom) {
  const rows = [
    ["for-whom", whom],
    ["sure-year", `${quote.year} · ${term("INSURANCE", quote.insurance)}`],
    ["amount", money(quote.payable_fen)],
    ["from-account", who().role === "citizen" ? t("me", { name: donor.name }) : donor.name],
  ];
  return [
    h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    h("p", {}, t("sure-text")),
  ];
}
