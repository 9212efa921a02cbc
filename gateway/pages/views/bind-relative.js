// The first step of binding: what the relative is to the donor, and who.

import { isIdCard, isNumber } from "../app/certificates.js";
import { dateOf, isoOf } from "../app/dates.js";
import { h } from "../app/dom.js";
import { choice, field, form } from "../app/forms.js";
import { limitFields, readLimits } from "../app/limits.js";
import { t, term } from "../app/words.js";
import { noticeList } from "./bind-result.js";

const CERTIFICATES = ["ID_CARD", "PASSPORT", "HK_MACAO_PERMIT", "TAIWAN_PERMIT", "FOREIGN_RESIDENCE", "BIRTH", "OTHER"];

export const relativeStep = {
  title: "bind-relative",
  isNeeded: () => true,
  show({ policy, draft, channel, atCounter }, { next }) {
    const needs = new Set(policy.values["beneficiary.required_fields"]);
    const fields = ask(policy, draft, needs);
    const limits = limitFields(draft.limits);
    const send = () => {
      for (const one of fields) draft[one.name] = one.read();
      draft.effective_from = dateOf(draft.effective_from);
      draft.effective_to = dateOf(draft.effective_to);
      draft.certificate_number = draft.certificate_number.toUpperCase();
      draft.limits = readLimits(limits);
      const wrong = missing(fields) ?? misfit(fields);
      if (wrong) return wrong.focus();
      return next();
    };
    return h("div", {},
      h("p", { class: "soft" }, t("bind-for", { region: policy.region_name })),
      !atCounter && h("details", {}, h("summary", {}, t("menu-path")),
        h("ul", { lang: "zh-CN" }, policy.channels.map((one) => h("li", {}, `${one.name}：${one.steps.join("→")}`)))),
      !atCounter && noticeList(policy),
      !atCounter && h("p", {}, t(channel.review_required ? "is-reviewed" : "not-reviewed")),
      form({
        fields,
        hidden: limits,
        children: [h("details", { open: Boolean(draft.limits) }, h("summary", {}, t("limits-optional")), limits.map((one) => one.node))],
        button: t("next"),
        send,
      }).node);
  },
};

function ask(policy, draft, needs) {
  const today = isoOf(policy.on_date);
  const relations = policy.values["relations.allowed"] ?? [];
  const uses = policy.values["use.uses"] ?? [];
  const ends = Boolean(policy.values["binding.end_date_required"]);
  return [
    choice({
      name: "relation", label: t("relation-is"), value: draft.relation,
      options: relations.map((one) => [`RELATION_${one}`, term("RELATION", one)]),
    }),
    field({ name: "name", label: t("relative-name"), value: draft.name, required: true, maxlength: 50 }),
    field({
      name: "certificate_type", label: t("certificate-type"), required: true, value: draft.certificate_type ?? "CERTIFICATE_TYPE_ID_CARD",
      options: CERTIFICATES.map((one) => [`CERTIFICATE_TYPE_${one}`, term("CERTIFICATE_TYPE", one)]),
    }),
    field({ name: "certificate_number", label: t("certificate-number"), value: draft.certificate_number, required: true, maxlength: 50 }),
    field({ name: "phone", label: t("phone"), type: "tel", value: draft.phone, required: needs.has("PHONE"), maxlength: 20, inputmode: "tel" }),
    field({ name: "card_no", label: t("card-no"), hint: t("card-no-hint"), value: draft.card_no, required: needs.has("CARD_NO"), maxlength: 32 }),
    choice({
      name: "uses", label: t("used-for"), several: true, value: draft.uses ?? uses.map((one) => `USE_${one}`),
      options: uses.map((one) => [`USE_${one}`, term("USE", one)]),
    }),
    field({ name: "effective_from", label: t("from"), type: "date", min: today, value: isoOf(draft.effective_from) || today, required: true }),
    field({ name: "effective_to", label: t("to"), hint: t("to-hint"), type: "date", min: today, value: isoOf(draft.effective_to), required: ends }),
  ];
}

/** The first field whose text can't be right; it says so. */
function misfit(fields) {
  const { name, certificate_type: type, certificate_number: number, card_no: card } = Object.fromEntries(fields.map((one) => [one.name, one]));
  const isCard = type.read() === "CERTIFICATE_TYPE_ID_CARD";
  const text = number.read().toUpperCase();
  const wrong = [
    /[<>]/.test(name.read()) && [name, "wrong-name"],
    isCard ? !isIdCard(text) && [number, "wrong-id-card"] : !isNumber(text) && [number, "wrong-number"],
    !isNumber(card.read()) && [card, "wrong-number"],
  ].filter(Boolean);
  for (const [field, key] of wrong) field.fail(t(key));
  return wrong[0]?.[0];
}

/** The first choice that was not made. */
function missing(fields) {
  const wrong = fields.filter((one) => ["relation", "uses"].includes(one.name) && one.read().length === 0);
  for (const one of wrong) one.fail(t("choose"));
  return wrong[0];
}
