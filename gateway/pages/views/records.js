// Step 3, confirm: purchases and premiums for me, or for a ward, each with its receipt.

import { get } from "../app/api.js";
import { moment } from "../app/dates.js";
import { h, latest } from "../app/dom.js";
import { action, field, showProblem } from "../app/forms.js";
import { money } from "../app/money.js";
import { household } from "../app/people.js";
import { who } from "../app/session.js";
import { t, term } from "../app/words.js";

export async function show({ signal }) {
  const people = await household(signal);
  const place = h("div", {});
  const whose = people.length > 1 && field({
    name: "person", label: t("whose-records"), required: true, value: people[0].id,
    options: people.map((one) => [one.id, one.isMe ? t("me", { name: one.name }) : one.name]),
  });
  const fill = latest(place);
  const draw = () => fill(() => records(whose ? whose.read() : who().subject, signal));
  whose && whose.input.addEventListener("change", () => draw().catch((problem) => showProblem(place, problem)));
  await draw();
  return h("div", {}, h("h1", {}, t("tab-records")), whose && whose.node, place);
}

async function records(id, signal) {
  const purchases = await list("/v1/settlements", { person_id: id }, "settlements", purchase, signal);
  const premiums = await list("/v1/premium-payments", { beneficiary_id: id }, "payments", premium, signal);
  const paid = await list("/v1/premium-payments", { donor_id: id }, "payments", premium, signal);
  return [
    h("section", {}, h("h2", {}, t("purchases")), purchases),
    h("section", {}, h("h2", {}, t("premiums-for-me")), premiums),
    h("section", {}, h("h2", {}, t("premiums-by-me")), paid),
  ];
}

/** A list page by page. */
async function list(path, query, name, item, signal) {
  const items = h("ul", { class: "plain entries" });
  let next = "";
  async function fetchMore() {
    const page = await get(path, { ...query, page_size: 20, page_token: next }, signal);
    items.append(...page[name].map((one) => h("li", {}, item(one))));
    next = page.next_page_token;
    more.hidden = !next;
  }
  const more = action(t("more"), fetchMore);
  await fetchMore();
  return items.children.length ? [items, more] : h("p", { class: "soft" }, t("none-yet"));
}

function purchase(one) {
  const paid = one.breakdown;
  const helped = BigInt(paid?.mutual_aid_pay_fen ?? 0) > 0n && t("relatives-paid", { amount: money(paid.mutual_aid_pay_fen) });
  return row(`#/receipt/${one.settlement_id}`, one.institution_name, paid?.total_fen,
    [moment(one.occurred_at), term("VISIT_TYPE", one.visit_type), term("SETTLEMENT_STATE", one.state), helped]);
}

function premium(one) {
  return row(`#/premium-receipt/${one.payment_id}`, `${one.beneficiary_name} · ${one.year} ${term("INSURANCE", one.insurance)}`, one.payable_fen,
    [moment(one.submitted_at), one.donor_name || one.external_channel, term("PREMIUM_PAYMENT_STATE", one.state)]);
}

function row(href, title, fen, facts) {
  return h("a", { class: "card entry", href },
    h("span", {}, h("strong", {}, title), h("small", {}, facts.filter(Boolean).join(" · "))),
    h("span", { class: "amount-out" }, money(fen)));
}
