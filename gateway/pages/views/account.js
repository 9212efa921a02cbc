// My account: what is in it, what of it went to whom, and every movement, as it happens.

import { all, fetched, get } from "../app/api.js";
import { bars, table } from "../app/chart.js";
import { moment, today } from "../app/dates.js";
import { h, put, speak } from "../app/dom.js";
import { action, problemBox } from "../app/forms.js";
import { money, sum } from "../app/money.js";
import { bindingsOf, nameOf, policyOf } from "../app/people.js";
import { who } from "../app/session.js";
import { whyList } from "../app/sources.js";
import { listen } from "../app/stream.js";
import { isEnglish, t, term } from "../app/words.js";
import { suspenseOf } from "./account-suspense.js";

const PAGE = 20;

export async function show({ signal }) {
  const { subject } = who();
  const [accounts, bindings] = await Promise.all([
    all(`/v1/persons/${subject}/accounts`, {}, "accounts"),
    bindingsOf({ donor_id: subject }, signal),
  ]);
  const names = new Map(bindings.map((one) => [one.beneficiary_id, nameOf(one)]));
  const shown = await Promise.all(accounts.map((one) => accountRoom(one, names, signal)));
  return h("div", {}, h("h1", {}, t("tab-account")), shown.length ? shown : h("p", { class: "box note" }, t("no-account")));
}

async function accountRoom(account, names, signal) {
  const policy = await policyOf(account.region).catch(() => null); // tells which day it is
  const [list, year, { holds }, waits] = await Promise.all([
    get(`/v1/accounts/${account.account_id}/entries`, { page_size: PAGE }, signal),
    all(`/v1/accounts/${account.account_id}/entries`, { occurred_from: firstOfYear() }, "entries", 5000),
    get(`/v1/accounts/${account.account_id}/holds`, { states: "HOLD_STATE_OPEN" }, signal),
    suspenseOf(account),
  ]);
  const head = h("div", {});
  const spent = h("div", {});
  const movements = movementList(account, list, signal);
  let shown = account;
  function draw(now) {
    if (BigInt(now.seq) < BigInt(shown.seq)) return; // an older answer that came late
    shown = now;
    put(head, balance(now, policy?.region_name), now.state !== "ACCOUNT_STATE_OPEN" && stateNote(now), waits, holds.length > 0 && holdTable(holds));
    put(spent, whereTo(year, names));
  }
  draw(account);
  const heard = async ({ entry }) => {
    if (year.some((one) => one.seq === entry.seq)) return;
    year.push(entry);
    movements.add(entry);
    speak(t("new-movement", { amount: money(entry.amount_fen) }));
    const { account: now } = await get(`/v1/accounts/${account.account_id}`, {}, signal).catch(() => ({ account: shown }));
    draw(now);
  };
  const last = list.entries[0]?.seq ?? "0";
  listen(`/v1/accounts/${account.account_id}/entries:watch`, last, signal, heard).catch((problem) => head.prepend(problemBox(problem)));
  return h("section", {}, head, spent, movements.node);
}

function firstOfYear() {
  return `${today().slice(0, 4)}-01-01T00:00:00+08:00`;
}

function balance(account, region) {
  const steps = whyList(account.why, (one) => h("span", {}, isEnglish() ? one.text_en : one.text), region);
  return h("div", {},
    h("div", { class: "balance" },
      h("span", {}, `${term("ACCOUNT_KIND", account.kind)} · ${term("ACCOUNT_STATE", account.state)}`),
      h("strong", { "data-balance": account.balance_fen }, money(account.balance_fen)),
      h("span", { class: "small" }, `${t("spendable")} ${money(account.spendable_fen)} · ${t("shareable")} ${money(account.shareable_fen)}`)),
    h("details", {}, h("summary", {}, t("why")), steps));
}

/** What a frozen or closed account can't do, and whom to ask. */
function stateNote({ state, state_reason }) {
  return h("div", { class: "box note" }, h("p", {}, t(state === "ACCOUNT_STATE_FROZEN" ? "account-frozen" : "account-closed")),
    state_reason && h("p", { class: "small" }, `${t("reason")}：${state_reason}`));
}

function holdTable(holds) {
  const rows = holds.map((one) => [money(one.amount_fen), one.institution_code || t("any"), moment(one.expires_at)]);
  return table(t("holds"), [t("amount"), t("institution"), t("until")], rows, [0]);
}

/** What of this year's money went to whom: what left, less what came back. */
function whereTo(entries, names) {
  const groups = new Map();
  for (const one of entries) {
    const label = groupOf(one, names);
    if (label) groups.set(label, [...(groups.get(label) ?? []), one.amount_fen]);
  }
  const rows = [...groups].map(([label, amounts]) => ({ label, count: amounts.length, fen: String(-BigInt(sum(amounts))) }));
  rows.sort((one, other) => (BigInt(other.fen) > BigInt(one.fen) ? 1 : -1));
  if (!rows.length) return null;
  return h("section", {}, h("h2", {}, t("where-to", { year: today().slice(0, 4) })),
    bars(t("where-to", { year: today().slice(0, 4) }), rows.filter((one) => BigInt(one.fen) > 0n), 4),
    table(t("where-to-table"), [t("for-whom"), t("times"), t("amount")], rows.map((one) => [one.label, String(one.count), money(one.fen)]), [1, 2]));
}

function groupOf({ kind, beneficiary, beneficiary_id }, names) {
  const name = kind.replace("ENTRY_KIND_", "");
  const relative = names.get(beneficiary_id) ?? beneficiary;
  if (["SETTLEMENT_OWN", "REFUND_OWN"].includes(name)) return t("myself");
  if (["SETTLEMENT_MUTUAL_AID", "REFUND_MUTUAL_AID"].includes(name)) return `${relative} ${t("medical")}`;
  if (["PREMIUM", "PREMIUM_REFUND"].includes(name)) return `${relative} ${t("premium-short")}`;
  return "";
}

function movementList(account, list, signal) {
  const items = h("ul", { class: "plain entries" }, list.entries.map(item));
  const known = new Set(list.entries.map((one) => one.seq));
  let next = list.next_page_token;
  const path = `/v1/accounts/${account.account_id}/entries`;
  const more = action(t("more"), async () => {
    const page = await get(path, { page_size: PAGE, page_token: next }, signal);
    const fresh = page.entries.filter((one) => !known.has(one.seq));
    for (const one of fresh) known.add(one.seq);
    items.append(...fresh.map(item));
    next = page.next_page_token;
    more.hidden = !next;
  });
  more.hidden = !next;
  const add = (entry) => {
    if (known.has(entry.seq)) return;
    known.add(entry.seq);
    items.prepend(item(entry, true));
  };
  const node = h("section", {}, h("h2", {}, t("movements"), h("span", { class: "live" }, t("live"))),
    items, h("div", { class: "buttons" }, more, action(t("export"), () => save(account, signal))));
  return { node, add };
}

function item(entry, isNew) {
  const name = entry.kind.replace("ENTRY_KIND_", "");
  const source = { SETTLEMENT_OWN: "receipt", SETTLEMENT_MUTUAL_AID: "receipt", PREMIUM: "premium-receipt" }[name];
  const isIn = !entry.amount_fen.startsWith("-");
  const text = h("span", {},
    h("strong", {}, term("ENTRY_KIND", entry.kind), entry.beneficiary && ` · ${entry.beneficiary}`),
    h("small", {}, [moment(entry.occurred_at), entry.counterparty, entry.memo].filter(Boolean).join(" · ")));
  const amount = h("span", { class: isIn ? "amount-in" : "amount-out" }, `${isIn ? "+" : ""}${money(entry.amount_fen)}`,
    h("small", {}, t("balance-is", { amount: money(entry.balance_after_fen) })));
  const inside = [text, amount];
  const attributes = { class: `card entry ${isNew === true ? "fresh" : ""}`, "data-seq": entry.seq };
  return h("li", {}, source ? h("a", { ...attributes, href: `#/${source}/${entry.source_id}` }, inside) : h("div", attributes, inside));
}

/** Saves the table for a spreadsheet. */
async function save(account, signal) {
  const response = await fetched("GET", `/v1/accounts/${account.account_id}/entries:export`, { signal });
  const url = URL.createObjectURL(await response.blob());
  h("a", { href: url, download: `gongji-${today()}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
