// Begins: finishes a sign-in, draws the frame around the rooms, and sends again what has no answer.

import { h, put } from "./dom.js";
import { problemBox } from "./forms.js";
import { go, render, start } from "./router.js";
import { onWaiting, resume, unanswered } from "./sending.js";
import { returned, signOut, who } from "./session.js";
import { isEnglish, isLarge, setEnglish, setLarge, t, term } from "./words.js";

const TABS = {
  citizen: ["", "pay", "account", "relatives", "records"],
  counter: ["counter"],
  reviewer: ["review"],
  agency: ["agency"],
};

const waiting = new Map(); // actions without an answer: name -> attempts

function frame(room = "") {
  document.documentElement.lang = isEnglish() ? "en" : "zh-CN";
  document.documentElement.classList.toggle("large", isLarge());
  document.getElementById("skip").textContent = t("skip");
  const someone = who();
  const switches = [
    toggle(t("large"), isLarge(), () => setLarge(!isLarge())),
    toggle(isEnglish() ? "中文" : "English", null, () => setEnglish(!isEnglish()), isEnglish() ? "zh-CN" : "en"),
    someone && h("button", { type: "button", class: "quiet", onclick: leave }, t("sign-out")),
  ];
  put(document.getElementById("top"),
    h("a", { class: "brand", href: "#/" }, mark(), h("span", {}, t("app"))),
    h("div", { class: "switches" }, switches));
  const tabs = TABS[someone?.role] ?? [];
  const nav = document.getElementById("tabs");
  nav.setAttribute("aria-label", t("rooms"));
  nav.hidden = tabs.length < 2;
  put(nav, tabs.map((name) => {
    const isHere = name === room || (name === "" && room === "home");
    return h("a", { href: `#/${name}`, "aria-current": isHere ? "page" : undefined }, t(`tab-${name || "home"}`));
  }));
  document.getElementById("top").dataset.who = someone ? term("ROLE", someone.role.toUpperCase()) : "";
}

function mark() {
  return h("img", { src: "style/icon.svg", alt: "", width: 32, height: 32 });
}

function toggle(text, pressed, change, lang) {
  const clicked = () => {
    change();
    frame();
    render();
    document.querySelector(`[data-toggle="${lang ? "language" : "large"}"]`).focus();
  };
  const attributes = { "data-toggle": lang ? "language" : "large", lang, "aria-pressed": pressed === null ? undefined : String(pressed) };
  return h("button", { type: "button", class: "quiet", onclick: clicked, ...attributes }, text);
}

function leave() {
  if (unanswered().length && !window.confirm(t("leave-unanswered"))) return;
  signOut();
}

/** The strip that tells of actions whose answer has not come. */
function strip(...said) {
  const lines = [...waiting].map(([, attempts]) => h("p", {}, t("no-answer", { attempts })));
  put(document.getElementById("unanswered"), lines, said);
}

function taken(name) {
  resume(name).then(
    () => strip(h("p", {}, t("answered"), " ", h("a", { href: "#/records" }, t("look")))),
    (problem) => strip(problemBox(problem)),
  );
}

async function begin() {
  onWaiting((name, attempts) => {
    if (attempts) waiting.set(name, attempts);
    else waiting.delete(name);
    strip();
  });
  let failed;
  await returned().catch((error) => {
    failed = error;
  });
  frame();
  await start(frame);
  if (failed) strip(h("p", {}, t("sign-in-failed")));
  if (who()) for (const name of unanswered()) taken(name);
  if (who()?.role !== "citizen" && location.hash.replace("#/", "") === "" && TABS[who()?.role]) {
    go(`#/${TABS[who().role][0]}`);
  }
}

begin();
