// A question that lies over the page until it is answered or closed.

import { h, put } from "./dom.js";
import { form } from "./forms.js";
import { t } from "./words.js";

/** Opens it under a heading; `fill(close)` makes what stands in it, `closed` is called when it is gone. */
export function ask(heading, fill, closed = () => {}) {
  const opener = document.activeElement;
  const dialog = h("dialog", { "aria-label": heading });
  const close = () => dialog.close();
  put(dialog, h("h2", {}, heading), fill(close, dialog));
  dialog.addEventListener("close", async () => {
    dialog.remove();
    opener?.focus();
    await closed();
    if (document.activeElement === document.body) focusBack(opener);
  });
  document.body.append(dialog);
  dialog.showModal();
}

/** Asks whether to go on, under the button's text; answers true or false. */
export function sure(heading, content, button) {
  return new Promise((resolve) => {
    let isSure = false;
    ask(heading, (close) => {
      const yes = () => {
        isSure = true;
        close();
      };
      return [content, h("div", { class: "buttons" },
        h("button", { type: "button", class: "button main", onclick: yes }, button),
        h("button", { type: "button", class: "button", onclick: close }, t("not-now")))];
    }, () => resolve(isSure));
  });
}

/** The keyboard goes on where the question was asked, or at the top when that is gone. */
function focusBack(opener) {
  const heading = document.querySelector("main h1");
  heading?.setAttribute("tabindex", "-1");
  (opener?.isConnected ? opener : heading)?.focus();
}

/** As `ask`, with fields and a button that sends; closed when that is done, and then `done` is called. */
export function askForm(heading, { before = [], fields, button, send, kind = "main", done }) {
  let isDone = false;
  ask(heading, (close) => {
    const act = async () => {
      if ((await send()) === false) return; // a field says what is missing
      isDone = true;
      close();
    };
    const cancel = h("button", { type: "button", class: "button", onclick: close }, t("close"));
    return [before, form({ fields, button, send: act, kind, also: cancel }).node];
  }, () => isDone && done());
}
