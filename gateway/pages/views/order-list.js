// In which order relatives pay for somebody: moved by buttons or by dragging, saved as a whole.

import { get } from "../app/api.js";
import { isoOf } from "../app/dates.js";
import { h, put, speak } from "../app/dom.js";
import { action } from "../app/forms.js";
import { bindingsOf, donorNames, isCurrent, policyOf } from "../app/people.js";
import { send } from "../app/sending.js";
import { t, term } from "../app/words.js";
import { askToEnd } from "./end-dialog.js";

/** The donors of a beneficiary, with why one can't pay now, and the order they pay in. */
export async function orderList({ beneficiaryId, isMe, signal, redraw, forPerson = "" }) {
  const [bindings, { usabilities }] = await Promise.all([
    bindingsOf({ beneficiary_id: beneficiaryId }, signal),
    get("/v1/bindings:explain", { beneficiary_id: beneficiaryId }, signal),
  ]);
  const order = bindings.filter(isCurrent).sort((one, other) => one.rank - other.rank);
  if (!order.length) return h("p", { class: "soft" }, t("nobody-pays"));
  const names = donorNames(order);
  const nameOf = (binding) => names.get(binding.binding_id);
  const policy = await policyOf(order[0].region);
  const isOpen = order.length > 1 && policy.values["order.editable"] !== false;
  const reasons = new Map(usabilities.map((one) => [one.binding_id, one]));
  const list = h("ol", { class: "plain order" });
  const problems = h("div", {});
  const save = action(t("save-order"), async () => {
    const body = { binding_ids: order.map((one) => one.binding_id) };
    await send(`order:${beneficiaryId}`, "PUT", `/v1/persons/${beneficiaryId}/deduction-order`, body);
    speak(t("order-saved"));
    await redraw();
  }, { kind: "main", problems });
  save.hidden = true;
  let dragged = -1;

  function move(from, to) {
    if (to < 0 || to >= order.length || from === to) return;
    const [one] = order.splice(from, 1);
    order.splice(to, 0, one);
    save.hidden = false;
    draw();
    list.children[to].querySelector("button:not(:disabled)")?.focus();
    speak(t("moved", { name: nameOf(one), place: to + 1 }));
  }
  function draw() {
    put(list, order.map((binding, place) => h("li", {
      class: "card binding", draggable: isOpen ? "true" : undefined, "data-binding": binding.binding_id,
      ondragstart: () => {
        dragged = place;
      },
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => {
        event.preventDefault();
        move(dragged, place);
      },
    },
    h("header", {}, h("span", { class: "number", "aria-hidden": "true" }, String(place + 1)),
      h("h3", {}, donorOf(nameOf(binding), binding, isMe)), h("span", { class: `state ${stateOf(binding)}` }, term("BINDING_STATE", binding.state))),
    h("p", { class: "soft small" }, t("bound-since", { day: isoOf(binding.effective_from) })),
    obstacles(reasons.get(binding.binding_id)),
    h("div", { class: "buttons" },
      isOpen && mover("up", nameOf(binding), place === 0, () => move(place, place - 1)),
      isOpen && mover("down", nameOf(binding), place === order.length - 1, () => move(place, place + 1)),
      action(t("end"), () => askToEnd(binding, { redraw, forPerson }), { kind: "danger", "aria-label": `${t("end")} ${nameOf(binding)}` })))));
  }
  draw();
  return h("div", {}, h("p", { class: "soft" }, t(isOpen ? "order-text" : "order-fixed")), list, problems, save);
}

function mover(way, name, disabled, act) {
  return h("button", { type: "button", class: "button", disabled, onclick: act, "aria-label": t(`move-${way}`, { name }) }, t(way));
}

/** The donor, as the beneficiary knows them: a donor's parent is bound by their child. */
function donorOf(name, binding, isMe) {
  return isMe ? `${name}（${t("i-am", { relation: term("RELATION", binding.relation) })}）` : name;
}

function stateOf(binding) {
  return binding.state.replace("BINDING_STATE_", "").toLowerCase();
}

function obstacles(usability) {
  if (!usability) return null;
  if (usability.usable) return h("p", { class: "good" }, t("usable"));
  return h("ul", { class: "obstacles", lang: "zh-CN" }, usability.obstacles.map((one) => h("li", {}, one.text)));
}
