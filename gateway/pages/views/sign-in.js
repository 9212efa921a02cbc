// Sign in: off to the issuer and back; without an issuer, a token by hand.

import { h } from "../app/dom.js";
import { action, field, form } from "../app/forms.js";
import { render } from "../app/router.js";
import { hasIssuer, keepToken, signIn } from "../app/session.js";
import { t } from "../app/words.js";

export async function show({ isOver = false } = {}) {
  const there = await hasIssuer();
  return h("div", { class: "welcome" },
    h("h1", {}, t("welcome")),
    h("p", { class: "lead" }, t("welcome-lead")),
    isOver && h("p", { class: "box note", role: "alert" }, t("session-over")),
    there ? action(t("sign-in"), () => signIn(location.hash), { kind: "main wide" }) : byHand(),
    h("ol", { class: "promise" }, ["bind", "pay", "confirm"].map((step) =>
      h("li", {}, h("strong", {}, t(`step-${step}`)), h("span", {}, t(`step-${step}-text`))))));
}

function byHand() {
  const token = field({ name: "token", label: t("token"), hint: t("token-hint"), required: true });
  const take = () => {
    keepToken(token.read());
    return render();
  };
  return h("div", {}, h("p", { class: "box note" }, t("no-issuer")), form({ fields: [token], button: t("sign-in"), send: take }).node);
}
