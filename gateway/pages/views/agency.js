// The agency: settlements per minute, clearing, differences, premiums to be had back, risk signals, suspense,
// corrections.

import { get } from "../app/api.js";
import { columns, table } from "../app/chart.js";
import { minuteOf, now } from "../app/dates.js";
import { h, put } from "../app/dom.js";
import { action, problemBox } from "../app/forms.js";
import { money, sum } from "../app/money.js";
import { policyOf } from "../app/people.js";
import { who } from "../app/session.js";
import { t } from "../app/words.js";
import { windows } from "./agency-clearing.js";
import { differences } from "./agency-differences.js";
import { adjustments, refundsAsked, risks, suspense } from "./agency-lists.js";

const EVERY_MS = 15_000;
const MINUTES = 60;

export async function show({ signal }) {
  const { subject: region } = who();
  const sections = { minutes: perMinute, windows, differences, "refunds-asked": refundsAsked, risks, suspense, adjustments };
  const nodes = Object.entries(sections).map(([key, make]) => section(key, make, region, signal));
  return h("div", { class: "wide" }, h("h1", {}, t("tab-agency")), h("div", { class: "board" }, nodes));
}

/**
 * A section that shows itself when its data come, below a refusal that came too `late`; what fails there leaves the
 * others as they are.
 */
function section(key, make, region, signal) {
  const place = h("div", {}, h("p", { class: "wait" }, t("loading")));
  const draw = async (late) => {
    const said = late && problemBox(late);
    try {
      put(place, said, await make({ region, signal, redraw: draw }));
      said?.focus();
    } catch (problem) {
      if (problem.name === "AbortError" || signal.aborted) return;
      put(place, problemBox(problem), action(t("again"), () => draw()));
    }
  };
  draw();
  if (key === "minutes") {
    const timer = setInterval(() => draw(), EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(timer));
  }
  return h("section", { class: "card", id: key }, h("h2", {}, t(key)), place);
}

async function perMinute({ region, signal }) {
  await policyOf(region); // tells which day it is
  const from = new Date(Math.floor(now().getTime() / 60_000 - MINUTES + 1) * 60_000).toISOString();
  const { counts } = await get(`/v1/regions/${region}/settlement-counts`, { recorded_from: from }, signal);
  const points = counts.map((one) => ({ label: minuteOf(one.start), count: Number(one.settlements) }));
  const total = (key) => sum(counts.map((one) => one[key]));
  const busy = counts.filter((one) => one.settlements !== "0" || one.refunds !== "0").reverse();
  return h("div", {},
    h("p", { class: "figures" }, figure("settlements", total("settlements")), figure("refunds", total("refunds")),
      figure("total", money(total("total_fen"))), figure("mutual-aid", money(total("mutual_aid_pay_fen")))),
    columns(t("minutes"), points),
    busy.length > 0 && table(t("minutes-table"), [t("minute"), t("settlements"), t("refunds"), t("total"), t("fund"), t("mutual-aid"), t("cash")],
      busy.map((one) => [minuteOf(one.start), one.settlements, one.refunds, money(one.total_fen), money(one.fund_pay_fen),
        money(one.mutual_aid_pay_fen), money(one.cash_pay_fen)]), [1, 2, 3, 4, 5, 6]));
}

function figure(key, value) {
  return h("span", {}, h("strong", {}, value), h("small", {}, t(key)));
}
