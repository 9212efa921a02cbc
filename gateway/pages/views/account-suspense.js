// Money of an account that came back and waits at the agency: of premiums, and of purchases given back.

import { all } from "../app/api.js";
import { money, sum } from "../app/money.js";
import { suspenseBox } from "./premium-refund.js";

const GIVEN_BACK = ["PREMIUM_PAYMENT_STATE_REJECTED", "PREMIUM_PAYMENT_STATE_REFUNDED"];
const RETURNED = ["PARTLY_REFUNDED", "REFUNDED", "CANCELLED"].map((state) => `SETTLEMENT_STATE_${state}`);
const CLOSED = "ACCOUNT_STATE_CLOSED";

/** What it means and what to do, with the amount; null where nothing of the account ever waited. */
export async function suspenseOf(account) {
  const amounts = [...(await ofPremiums(account)), ...(account.state === CLOSED ? await ofPurchases(account) : [])];
  return amounts.length ? suspenseBox(money(sum(amounts))) : null;
}

async function ofPremiums({ account_id, person_id, state }) {
  const payments = await all("/v1/premium-payments", { donor_id: person_id, states: GIVEN_BACK }, "payments");
  const waiting = payments.filter((one) => one.in_suspense && (state === CLOSED || one.refund?.refund_to === "PREMIUM_REFUND_TO_BANK"));
  return waiting.flatMap((one) => one.legs.filter((leg) => leg.account_id === account_id).map((leg) => leg.amount_fen));
}

async function ofPurchases({ person_id, kind, region }) {
  const found = await Promise.all([{ person_id }, { donor_id: person_id }].map((query) =>
    all("/v1/settlements", { ...query, states: RETURNED }, "settlements")));
  const [own, given] = found.map((list) => list.flatMap((one) => one.refunds.flatMap((refund) => refund.legs)));
  const legs = [...own.filter((leg) => leg.account_owner === "ACCOUNT_OWNER_SELF"), ...given.filter((leg) => leg.account_owner === "ACCOUNT_OWNER_DONOR")];
  return legs.filter((leg) => leg.to_suspense && leg.account_kind === kind && leg.region === region).map((leg) => leg.amount_fen);
}
