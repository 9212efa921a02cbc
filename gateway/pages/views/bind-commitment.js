// The third step of binding: the commitment is read and accepted, in the version in force.

import { now } from "../app/dates.js";
import { h } from "../app/dom.js";
import { action, form, tick } from "../app/forms.js";
import { t } from "../app/words.js";

export const commitmentStep = {
  title: "bind-commitment",
  isNeeded: ({ policy }) => Boolean(policy.commitment),
  show({ policy, draft, atCounter }, { next, back }) {
    const { title, text, version } = policy.commitment;
    const isAccepted = draft.accepted_version === version;
    const accept = tick({ name: "commitment", label: t(atCounter ? "accepted-on-paper" : "accept"), checked: isAccepted });
    const send = () => {
      if (!accept.read()) {
        accept.fail(t("accept-first"));
        return accept.focus();
      }
      if (!isAccepted) Object.assign(draft, { accepted_version: version, accepted_at: now().toISOString() });
      return next();
    };
    return h("div", {},
      h("section", { class: "paper", lang: "zh-CN", tabindex: 0, "aria-label": title },
        h("h3", {}, title), text.split("\n").filter(Boolean).map((line) => h("p", {}, line))),
      form({ fields: [accept], button: t("next"), send, also: back && action(t("back"), back) }).node);
  },
};
