// Ending a binding: the region's notice is read and accepted first, where there is one.

import { isoOf } from "../app/dates.js";
import { ask } from "../app/dialog.js";
import { h, put } from "../app/dom.js";
import { field, form, tick } from "../app/forms.js";
import { nameOf, policyOf } from "../app/people.js";
import { render } from "../app/router.js";
import { send } from "../app/sending.js";
import { t } from "../app/words.js";

/** Asks, and ends it; `redraw` is called when it is ended. */
export async function askToEnd(binding, { redraw, forPerson }) {
  const { notice } = await policyOf(binding.region);
  const accept = notice && tick({ name: "notice_accepted", label: t("notice-accept") });
  let isEnded = false;
  const reason = field({ name: "reason", label: t("reason"), type: "textarea", maxlength: 500 });
  ask(t("end-title", { name: nameOf(binding) }), (close, dialog) => {
    const end = async () => {
      if (accept && !accept.read()) {
        accept.fail(t("accept-first"));
        return accept.focus();
      }
      const body = {
        notice_accepted: Boolean(accept), notice_version: notice?.version ?? "", reason: reason.read(),
        ...(forPerson && { for_person_id: forPerson }),
      };
      const { binding: ended } = await send(`end:${binding.binding_id}`, "POST", `/v1/bindings/${binding.binding_id}:end`, body);
      isEnded = true;
      const shut = h("button", { type: "button", class: "button main", onclick: close }, t("close"));
      put(dialog, h("div", { class: "box fine", role: "status", tabindex: -1 }, t("ended", { day: isoOf(ended.ended_on) })), shut);
      shut.focus();
      return undefined;
    };
    const cancel = h("button", { type: "button", class: "button", onclick: close }, t("keep-it"));
    return [
      notice ? h("section", { class: "paper", lang: "zh-CN", tabindex: 0, "aria-label": notice.title },
        h("h3", {}, notice.title), notice.text.split("\n").filter(Boolean).map((line) => h("p", {}, line)))
        : h("p", {}, t("end-text")),
      form({ fields: [accept, reason].filter(Boolean), button: t("end"), kind: "danger", send: end, also: cancel }).node,
    ];
  }, () => isEnded && redraw().catch(() => render())); // the whole room says what is wrong
}
