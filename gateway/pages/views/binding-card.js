// One binding as its donor, or a clerk, sees it: where it stands, its limits, and the way out.

import { dateOf, isoOf } from "../app/dates.js";
import { h, put } from "../app/dom.js";
import { action, choice, field, form } from "../app/forms.js";
import { limitFields, readLimits } from "../app/limits.js";
import { money } from "../app/money.js";
import { isCurrent, nameOf, policyOf } from "../app/people.js";
import { send } from "../app/sending.js";
import { listed, t, term } from "../app/words.js";
import { askToEnd } from "./end-dialog.js";

/** A card; `redraw` is called after a change; `forPerson` is whom a clerk acts for. */
export function bindingCard(binding, { redraw, isDonor = true, forPerson = "" }) {
  const state = binding.state.replace("BINDING_STATE_", "");
  const name = isDonor ? nameOf(binding) : `${binding.donor_name}（${t("pays")}）`;
  return h("article", { class: "card binding", "data-binding": binding.binding_id },
    h("header", {}, h("h3", {}, name), h("span", { class: `state ${state.toLowerCase()}` }, term("BINDING_STATE", state))),
    h("dl", { class: "facts" }, facts(binding).map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    isCurrent(binding) && h("div", { class: "buttons" },
      isDonor && editor(binding, redraw),
      action(t("end"), () => askToEnd(binding, { redraw, forPerson }), { kind: "danger" })));
}

function facts(binding) {
  const limits = Object.entries(binding.limits ?? {}).map(([key, fen]) => `${t(key)} ${money(fen)}`);
  const suspended = binding.suspended_for.map((one) => one.replace("USABILITY_REASON_", "")).join(", ");
  return [
    ["used-for", listed(binding.uses.map((one) => term("USE", one)))],
    ["from", isoOf(binding.effective_from)],
    ["to", isoOf(binding.effective_to)],
    ["ended-on", isoOf(binding.ended_on)],
    ["limits", listed(limits) || (isCurrent(binding) ? t("no-limits") : "")],
    ["suspended-for", suspended],
    ["review-reason", binding.review?.reason],
    ["reason", binding.end_reason],
    ["earliest-end", isoOf(binding.earliest_end_on)],
  ].filter(([, value]) => value);
}

/** Limits, uses and last day, folded away until they are wanted. */
function editor(binding, redraw) {
  const place = h("div", {});
  const open = async () => {
    const policy = await policyOf(binding.region);
    const limits = limitFields(binding.limits);
    const uses = choice({
      name: "uses", label: t("used-for"), several: true, value: binding.uses,
      options: policy.values["use.uses"].map((one) => [`USE_${one}`, term("USE", one)]),
    });
    const to = field({ name: "effective_to", label: t("to"), hint: t("to-hint"), type: "date", min: isoOf(policy.on_date), value: isoOf(binding.effective_to) });
    const save = async () => {
      const body = {
        limits: readLimits(limits) ?? {}, uses: uses.read(), effective_to: dateOf(to.read()),
        update_mask: "limits,uses,effectiveTo",
      };
      if (!body.effective_to) delete body.effective_to;
      await send(`change:${binding.binding_id}`, "PATCH", `/v1/bindings/${binding.binding_id}`, body);
      await redraw();
    };
    const close = h("button", { type: "button", class: "button", onclick: () => put(place) }, t("close"));
    put(place, form({ fields: [...limits, uses, to], button: t("save"), send: save, also: close }).node);
    limits[0].focus();
  };
  return [action(t("limits"), open), place];
}
