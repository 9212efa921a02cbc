// One address a room: #/name/argument. A room is a module of views/ with `show`, fetched when asked for.

import { Lost } from "./api.js";
import { h, put } from "./dom.js";
import { action, problemBox } from "./forms.js";
import { who } from "./session.js";
import { t } from "./words.js";

const ROOMS = {
  "": "home", "sign-in": "sign-in", bind: "bind", pay: "pay", premium: "premium", code: "code",
  receipt: "receipt", "premium-receipt": "premium-receipt", account: "account", relatives: "relatives",
  records: "records", counter: "counter", review: "review", agency: "agency",
};

let leaving = new AbortController();
let after = () => {};

/** The name and the arguments of the address: {name, params}. */
export function here() {
  const [name = "", ...params] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { name, params };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // no such room or number; said as for any other
  }
}

/** Goes to another room. */
export function go(address) {
  if (location.hash === address) render();
  else location.hash = address;
}

/** Shows the room of the address from now on; `then` is called after each. */
export function start(then) {
  after = then;
  window.addEventListener("hashchange", () => render(true));
  return render();
}

/** Shows the room anew. */
export async function render(moveFocus = false) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const main = document.getElementById("main");
  const { name, params } = here();
  const room = who() ? ROOMS[name] ?? "home" : "sign-in";
  main.setAttribute("aria-busy", "true");
  const late = setTimeout(() => put(main, h("p", { class: "wait", role: "status" }, t("loading"))), 250);
  signal.addEventListener("abort", () => clearTimeout(late));
  let page;
  try {
    const view = await import(`../views/${room}.js`).catch(() => {
      throw new Lost(room);
    });
    page = await view.show({ params, signal });
  } catch (problem) {
    if (signal.aborted) return;
    if (problem.status === 401) {
      clearTimeout(late);
      return signedOut();
    }
    if (problem instanceof Lost) window.addEventListener("online", () => render(), { once: true, signal });
    page = h("div", {}, h("h1", {}, t("not-shown")), problemBox(problem), action(t("again"), () => render(), { kind: "main" }));
  }
  if (signal.aborted) return;
  clearTimeout(late);
  put(main, page);
  main.removeAttribute("aria-busy");
  const heading = main.querySelector("h1");
  document.title = `${heading?.textContent ?? ""} · ${t("app")}`;
  if (moveFocus) {
    window.scrollTo(0, 0);
    heading?.setAttribute("tabindex", "-1");
    heading?.focus();
  }
  after(room);
}

/** The session is over: sign in again and come back here. */
async function signedOut() {
  const { show } = await import("../views/sign-in.js");
  put(document.getElementById("main"), await show({ isOver: true }));
}
