// The last step of binding: everything once more, checked by the service before it is sent.

import { isoOf } from "../app/dates.js";
import { h, put } from "../app/dom.js";
import { action, choice, problemBox, showProblem, tick } from "../app/forms.js";
import { money } from "../app/money.js";
import { listed, t, term } from "../app/words.js";
import { checked } from "./bind-application.js";

export const checkStep = {
  title: "bind-check",
  isNeeded: () => true,
  show(context, { back, change, submit }) {
    const { draft, atCounter, policy } = context;
    const found = h("div", { role: "status" }, h("p", { class: "wait" }, t("checking")));
    const problems = h("div", {});
    const send = action(t("apply"), () => confirmed(), { kind: "main", problems });
    const seen = atCounter && tick({ name: "certificates_seen", label: t("certificates-seen"), checked: draft.certificates_seen });
    const asked = policy.values["binding.confirmations"] ?? [];
    const confirm = asked.length > 0 && choice({
      name: "confirmations", several: true, label: t("confirmations"), value: draft.confirmations,
      options: asked.map((one) => [`CONFIRMATION_${one}`, term("CONFIRMATION", one)]),
    });
    function read() {
      if (seen) draft.certificates_seen = seen.read();
      if (confirm) draft.confirmations = confirm.read();
    }
    function confirmed() {
      read();
      return submit();
    }
    async function check() {
      read();
      put(found, h("p", { class: "wait" }, t("checking")));
      try {
        const { counts } = await checked(context);
        const limit = counts?.members_limit;
        put(found, h("p", { class: "box fine" }, t("check-fine"), limit ? ` ${t("members", { count: counts.members, limit })}` : ""));
      } catch (problem) {
        if (problem.name !== "AbortError") put(found, problemBox(problem), h("p", { class: "soft" }, t("check-refused")));
      }
    }
    for (const one of [seen, confirm]) one && one.node.addEventListener("change", check);
    check();
    return h("div", {},
      summary(draft, change), seen && seen.node, confirm && confirm.node, found, problems,
      h("div", { class: "buttons" }, send, back && action(t("back"), back, { problems })));
  },
};

function summary(draft, change) {
  const limits = Object.entries(draft.limits ?? {}).map(([name, fen]) => `${t(name)} ${money(fen)}`);
  const rows = [
    ["relative-name", draft.name],
    ["relation-is", term("RELATION", draft.relation)],
    [draft.certificate_type === "CERTIFICATE_TYPE_ID_CARD" ? "id-card" : "certificate-number", draft.certificate_number],
    ["phone", draft.phone],
    ["card-no", draft.card_no],
    ["used-for", listed(draft.uses.map((one) => term("USE", one)))],
    ["from", isoOf(draft.effective_from)],
    ["to", isoOf(draft.effective_to) || t("open-end")],
    ["limits", listed(limits)],
  ];
  return h("div", {},
    h("dl", { class: "facts" }, rows.filter(([, value]) => value).map(([key, value]) =>
      h("div", {}, h("dt", {}, t(key)), h("dd", {}, value)))),
    h("button", { type: "button", class: "link", onclick: () => change("bind-relative") }, t("change")));
}
