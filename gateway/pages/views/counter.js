// The counter: a clerk finds a person by certificate and name, and does for them what they would do.

import { all, call } from "../app/api.js";
import { h, latest, put } from "../app/dom.js";
import { action, field, form } from "../app/forms.js";
import { bindingsOf, isCurrent, nameOf } from "../app/people.js";
import { t, term } from "../app/words.js";
import { wizard } from "./bind.js";
import { orderList } from "./order-list.js";
import { premium } from "./premium.js";
import { premiumReceipt } from "./premium-receipt.js";
import { cards } from "./relatives.js";

const CERTIFICATES = ["ID_CARD", "PASSPORT", "HK_MACAO_PERMIT", "TAIWAN_PERMIT", "FOREIGN_RESIDENCE", "OTHER"];

export async function show({ signal }) {
  const place = h("div", {});
  const name = field({ name: "name", label: t("person-name"), required: true, maxlength: 50 });
  const type = field({
    name: "type", label: t("certificate-type"), required: true, value: "CERTIFICATE_TYPE_ID_CARD",
    options: CERTIFICATES.map((one) => [`CERTIFICATE_TYPE_${one}`, term("CERTIFICATE_TYPE", one)]),
  });
  const number = field({ name: "number", label: t("certificate-number"), required: true, maxlength: 50 });
  const find = async () => {
    put(place);
    const body = { certificate: { type: type.read(), number: number.read().toUpperCase() }, name: name.read() };
    const { person } = await call("POST", "/v1/persons:find", { body, signal });
    await desk(place, person, signal);
    place.querySelector("h2").focus();
  };
  const finder = form({ fields: [name, type, number], button: t("find-person"), send: find });
  return h("div", {}, h("h1", {}, t("tab-counter")), h("p", { class: "soft" }, t("counter-lead")), finder.node, place);
}

/** What can be done for one person. */
async function desk(place, person, signal) {
  const room = h("div", {});
  const heading = h("h2", { tabindex: -1 }, t("for-person", { name: person.name }));
  const insured = person.enrolments.map((one) => `${term("INSURANCE", one.insurance)} ${one.region}`).join("、");
  const rooms = {
    "desk-bindings": () => bindings(person, signal),
    "desk-bind": () => wizard({ donorId: person.person_id, atCounter: true, signal, level: "h3" }),
    "desk-premium": () => premiums(person, signal),
  };
  const fill = latest(room);
  const problems = h("div", {});
  const buttons = Object.entries(rooms).map(([key, make]) => action(t(key), () => fill(make), { problems }));
  put(place, h("section", { class: "desk" }, heading,
    h("p", { class: "soft" }, [term("CERTIFICATE_TYPE", person.certificate.type), person.certificate.number, insured].join(" · ")),
    h("div", { class: "buttons" }, buttons), problems, room));
  await fill(rooms["desk-bindings"]);
}

async function bindings(person, signal) {
  const place = h("div", {});
  const id = person.person_id;
  async function draw() {
    const given = await bindingsOf({ donor_id: id }, signal);
    const order = await orderList({ beneficiaryId: id, isMe: false, signal, redraw: draw, forPerson: id });
    put(place, h("h3", {}, t("pays-for")), cards(given, draw, { forPerson: id }), h("h3", {}, t("paid-for-by")), order);
  }
  await draw();
  return place;
}

/** Whose premium the person pays, and the paying. */
async function premiums(person, signal) {
  const donorId = person.person_id;
  const [bound, paid] = await Promise.all([
    bindingsOf({ donor_id: donorId }, signal),
    all("/v1/premium-payments", { donor_id: donorId }, "payments", 200),
  ]);
  const given = bound.filter((one) => isCurrent(one) && one.uses.includes("USE_PREMIUM"));
  const place = h("div", {});
  const done = ({ payment }) => put(place, premiumReceipt(payment, signal));
  const fill = latest(place);
  const problems = h("div", {});
  const open = (beneficiaryId) => () => fill(() => premium({ donorId, beneficiaryId, signal, done }));
  const receipt = (payment) => () => fill(() => premiumReceipt(payment, signal));
  return h("div", {}, h("h3", {}, t("premiums")),
    given.length ? h("div", { class: "buttons" }, given.map((one) => action(nameOf(one), open(one.beneficiary_id), { problems })))
      : h("p", { class: "box note" }, t("nobody-bound")),
    paid.length > 0 && h("h3", {}, t("premiums-paid")),
    h("div", { class: "buttons" }, paid.map((one) => action(paymentName(one), receipt(one), { problems }))), problems, place);
}

function paymentName({ beneficiary_name, year, insurance, state }) {
  return `${beneficiary_name} · ${year} ${term("INSURANCE", insurance)} · ${term("PREMIUM_PAYMENT_STATE", state)}`;
}
