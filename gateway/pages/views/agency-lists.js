// The lists an agency works through, each with what can be decided there.

import { all, get } from "../app/api.js";
import { isoOf, moment } from "../app/dates.js";
import { h, put } from "../app/dom.js";
import { action, field, form } from "../app/forms.js";
import { fenOf, money } from "../app/money.js";
import { send } from "../app/sending.js";
import { personOf } from "../app/people.js";
import { t, term } from "../app/words.js";
import { firstOf } from "./agency-first.js";
import { refundFacts } from "./premium-refund.js";

/** Risk signals that wait, with their evidence. */
export async function risks({ region, redraw }) {
  const signals = await all(`/v1/regions/${region}/risk-signals`, { states: "RISK_SIGNAL_STATE_OPEN" }, "signals", 200);
  return list(signals, (one) => [
    h("h3", {}, term("RISK_RULE", one.rule), " ", h("span", { class: "state suspended" }, term("RISK_ACTION", one.action))),
    h("p", { class: "soft small" }, [moment(one.raised_at), t("measured", { measured: one.measured, threshold: one.threshold }),
      one.institution_code && `${t("institution")} ${one.institution_code}`].filter(Boolean).join(" · ")),
    h("ul", { lang: "zh-CN" }, one.evidence.map((fact) => h("li", {}, fact.text))),
    decide(one.signal_id, `/v1/risk-signals/${one.signal_id}:resolve`, "resolution", redraw,
      [["RISK_RESOLUTION_RELEASE", "release"], ["RISK_RESOLUTION_CONFIRM", "confirm-misuse"]]),
  ]);
}

/** Premiums that their donors ask to have back. */
export async function refundsAsked({ redraw }) {
  const waiting = await all("/v1/premium-payments", { states: "PREMIUM_PAYMENT_STATE_REFUND_REQUESTED" }, "payments", 200);
  return list(waiting, (one) => [
    h("h3", {}, `${one.beneficiary_name} · ${one.year} ${term("INSURANCE", one.insurance)} · ${money(one.refund.amount_fen)}`),
    h("dl", { class: "facts" }, [
      ["paid-by", one.donor_name],
      ["paid-on", isoOf(one.paid_on)],
      ["benefit-from", isoOf(one.benefit_from)],
      ["paid-twice", one.paid_twice && t("yes")],
      ...refundFacts(one),
      ["number", one.payment_id],
    ].filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    decide(one.payment_id, `/v1/premium-payments/${one.payment_id}:decide-refund`, "decision", redraw,
      [["PREMIUM_REFUND_DECISION_APPROVE", "approve-refund"], ["PREMIUM_REFUND_DECISION_REJECT", "reject"]],
      { hint: t("reject-hint"), isNeeded: (value) => value.endsWith("REJECT") }),
  ]);
}

/** Money that came back for closed accounts, or waits to be paid to a bank account. */
export async function suspense({ region, redraw }) {
  const items = await all(`/v1/regions/${region}/suspense`, { states: "SUSPENSE_STATE_OPEN" }, "items", 200);
  return list(items, (one) => {
    const way = field({ name: "way", label: t("resolve-by"), required: true, value: "transfer_to_account_id",
      options: ["transfer_to_account_id", "payout_reference"].map((key) => [key, t(key)]) });
    const target = field({ name: "target", label: t("resolve-target"), hint: t("resolve-target-hint"), required: true, maxlength: 64 });
    const reason = field({ name: "reason", label: t("reason"), required: true, maxlength: 500 });
    const resolve = async () => {
      const body = { [way.read()]: target.read(), reason: reason.read() };
      const step = firstOf(redraw);
      try {
        await step.send(() => send(`suspense:${one.suspense_id}`, "POST", `/v1/suspense/${one.suspense_id}:resolve`, body));
      } catch (problem) {
        for (const wrong of problem.fields ?? []) if (wrong.field === way.read()) wrong.field = target.name;
        throw problem;
      }
      await step.done();
    };
    return [
      h("h3", {}, money(one.amount_fen)),
      h("p", { class: "soft small" }, `${moment(one.recorded_at)} · ${t("account")} ${one.account_id}`),
      form({ fields: [way, target, reason], button: t("resolve"), send: resolve }).node,
    ];
  });
}

/** Corrections that wait for a second person, and the way to propose one. */
export async function adjustments({ region, signal, redraw }) {
  const waiting = await all(`/v1/regions/${region}/adjustments`, { states: "ADJUSTMENT_STATE_PROPOSED" }, "adjustments", 200);
  const places = waiting.map(() => h("p", { class: "soft small" }));
  fillIn(waiting, places, signal);
  return [
    list(waiting, (one) => [
      h("h3", {}, money(one.amount_fen)),
      h("p", {}, one.reason),
      h("p", { class: "soft small" }, `${t("proposed-by", { actor: one.proposed_by.actor })} · ${moment(one.proposed_at)} · ${t("account")} ${one.account_id}`),
      places[waiting.indexOf(one)],
      decide(one.adjustment_id, `/v1/adjustments/${one.adjustment_id}:decide`, "decision", redraw,
        [["ADJUSTMENT_DECISION_APPROVE", "approve"], ["ADJUSTMENT_DECISION_REJECT", "reject"]]),
    ]),
    proposal(redraw),
  ];
}

/** Whose account each corrects and what is on it, one after the other; what can't be read is left out. */
async function fillIn(waiting, places, signal) {
  for (const [place, one] of waiting.entries()) {
    if (signal.aborted) return;
    try {
      const { account } = await get(`/v1/accounts/${one.account_id}`, {}, signal);
      const owner = await personOf(account.person_id, signal).catch(() => null);
      const takes = BigInt(one.amount_fen) < 0n && freeOf(account) + BigInt(one.amount_fen) < 0n;
      put(places[place], owner && `${t("account-owner", { name: masked(owner.name) })} · `, balanceOf(account),
        takes && h("strong", {}, ` ${t("adjust-too-much")}`));
    } catch {
      // it is decided without
    }
  }
}

/** What a correction may take: the balance but what is held or quota. */
function freeOf(account) {
  return BigInt(account.balance_fen) - BigInt(account.held_fen) - BigInt(account.frozen_quota_fen);
}

function balanceOf(account) {
  return t("account-balance", { balance: money(account.balance_fen), free: money(String(freeOf(account))) });
}

function masked(name) {
  const [first = "", ...rest] = name;
  return first + rest.map(() => "*").join("");
}

function proposal(redraw) {
  const account = field({ name: "account_id", label: t("account-id"), required: true, maxlength: 36 });
  const known = h("p", { class: "soft", role: "status" });
  const look = async () => {
    put(known);
    const id = account.read();
    if (!id) return;
    const found = await get(`/v1/accounts/${encodeURIComponent(id)}`).catch(() => null); // the proposal says what is wrong
    if (found && id === account.read()) put(known, balanceOf(found.account));
  };
  account.input.addEventListener("change", look);
  account.node.append(known);
  const sign = field({ name: "sign", label: t("adjust-way"), required: true, value: "", options: [["", t("adjust-add")], ["-", t("adjust-take")]] });
  sign.input.required = false; // its first choice is the empty text
  const amount = field({ name: "amount_fen", label: t("amount"), hint: t("adjust-amount-hint"), inputmode: "decimal", required: true });
  const reason = field({ name: "reason", label: t("reason"), required: true, maxlength: 500 });
  const propose = async () => {
    const fen = fenOf(amount.read());
    if (fen === null) {
      amount.fail(t("no-amount"));
      return amount.focus();
    }
    await send(`propose:${account.read()}`, "POST", `/v1/accounts/${encodeURIComponent(account.read())}/adjustments`,
      { amount_fen: `${sign.read()}${fen}`, reason: reason.read() });
    return redraw();
  };
  return h("details", {}, h("summary", {}, t("propose")), h("p", { class: "soft" }, t("propose-text")),
    form({ fields: [account, sign, amount, reason], button: t("propose"), send: propose }).node);
}

function list(things, show) {
  return things.length ? h("ul", { class: "plain" }, things.map((one) => h("li", { class: "work" }, show(one)))) : h("p", { class: "soft" }, t("nothing-waits"));
}

/** A reason and the buttons that decide; the first of them is the form's own. */
function decide(id, path, key, redraw, [[first, firstText], [second, secondText]], { hint, isNeeded = () => true } = {}) {
  const reason = field({ name: "reason", label: t("reason"), hint, required: isNeeded(first), maxlength: 500 });
  const by = (value) => async () => {
    if (isNeeded(value) && !reason.read()) {
      reason.fail(t("needed"));
      return reason.focus();
    }
    const step = firstOf(redraw);
    await step.send(() => send(`decide:${id}`, "POST", path, { [key]: value, reason: reason.read() }));
    return step.done();
  };
  const { node, problems } = form({ fields: [reason], button: t(firstText), send: by(first), kind: "plain" });
  node.querySelector(".buttons").append(action(t(secondText), by(second), { kind: "danger", problems }));
  return node;
}
