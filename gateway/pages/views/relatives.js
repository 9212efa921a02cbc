// My relatives: for whom I pay, with limits and the way out; who pays for me, and in which order.

import { h, latest, put } from "../app/dom.js";
import { field, showProblem } from "../app/forms.js";
import { bindingsOf, household, isCurrent } from "../app/people.js";
import { who } from "../app/session.js";
import { t } from "../app/words.js";
import { bindingCard } from "./binding-card.js";
import { orderList } from "./order-list.js";

export async function show({ signal }) {
  const { subject } = who();
  const mine = h("div", {});
  const theirs = h("div", {});
  async function drawMine() {
    put(mine, cards(await bindingsOf({ donor_id: subject }, signal), drawMine));
  }
  const people = await household(signal);
  const whose = people.length > 1 && field({
    name: "person", label: t("whose-donors"), required: true, value: people[0].id,
    options: people.map((one) => [one.id, one.isMe ? t("me", { name: one.name }) : one.name]),
  });
  const fill = latest(theirs);
  function drawTheirs() {
    const id = whose ? whose.read() : subject;
    return fill(() => orderList({ beneficiaryId: id, isMe: id === subject, signal, redraw: drawTheirs }));
  }
  whose && whose.input.addEventListener("change", () => drawTheirs().catch((problem) => showProblem(theirs, problem)));
  await Promise.all([drawMine(), drawTheirs()]);
  return h("div", {},
    h("h1", {}, t("tab-relatives")),
    h("section", {}, h("h2", {}, t("i-pay-for")), mine, h("a", { class: "button main", href: "#/bind" }, t("bind-another"))),
    h("section", {}, h("h2", {}, t("who-pays-for")), whose && whose.node, theirs));
}

/** Cards of bindings: those in force, then those that are over, folded away. */
export function cards(bindings, redraw, options = {}) {
  const current = bindings.filter(isCurrent);
  const over = bindings.filter((one) => !isCurrent(one));
  const list = (some) => h("ul", { class: "plain" }, some.map((one) => h("li", {}, bindingCard(one, { redraw, ...options }))));
  return [
    current.length ? list(current) : h("p", { class: "soft" }, t("nobody-bound")),
    over.length > 0 && h("details", {}, h("summary", {}, t("over", { count: over.length })), list(over)),
  ];
}
