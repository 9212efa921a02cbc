// Home: the three steps of a citizen, and what is in the account. Staff go to their own room.

import { all } from "../app/api.js";
import { h } from "../app/dom.js";
import { money, sum } from "../app/money.js";
import { bindingsOf, isCurrent, personOf } from "../app/people.js";
import { who } from "../app/session.js";
import { t, term } from "../app/words.js";

const STAFF = ["counter", "review", "agency"];
const ROOM_OF = { counter: "counter", reviewer: "review", agency: "agency" };

export async function show({ signal }) {
  const { role, subject, name } = who();
  if (role !== "citizen") return staff(role);
  const [me, accounts, bindings] = await Promise.all([
    personOf(subject, signal),
    all(`/v1/persons/${subject}/accounts`, {}, "accounts"),
    bindingsOf({ donor_id: subject }, signal),
  ]);
  const current = bindings.filter(isCurrent).length;
  return h("div", {},
    h("h1", {}, t("hello", { name: me.name || name })),
    accounts.length > 0 && h("a", { class: "balance", href: "#/account" },
      h("span", {}, t("shareable")),
      h("strong", {}, money(sum(accounts.map((one) => one.shareable_fen)))),
      h("span", { class: "small" }, t("balance-is", { amount: money(sum(accounts.map((one) => one.balance_fen))) }))),
    h("ol", { class: "steps" },
      step(1, "bind", "#/bind", current ? t("bound-count", { count: current }) : ""),
      step(2, "pay", "#/pay"),
      step(3, "confirm", "#/records")),
    h("p", { class: "soft small" }, t("own-code-only")));
}

function step(number, name, href, more) {
  return h("li", {}, h("a", { class: "card step", href },
    h("span", { class: "number", "aria-hidden": "true" }, String(number)),
    h("span", {}, h("strong", {}, t(`step-${name}`)), h("small", {}, t(`step-${name}-text`)), more && h("small", { class: "good" }, more))));
}

function staff(role) {
  const room = ROOM_OF[role];
  return h("div", {},
    h("h1", {}, term("ROLE", role.toUpperCase())),
    STAFF.includes(room) ? h("a", { class: "button main", href: `#/${room}` }, t(`tab-${room}`)) : h("p", {}, t("no-room")));
}
