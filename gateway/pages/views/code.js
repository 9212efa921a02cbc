// The patient's own code for the till, for a minute; then a fresh one is asked for.

import { call } from "../app/api.js";
import { h, put, svg } from "../app/dom.js";
import { field, showProblem } from "../app/forms.js";
import { household } from "../app/people.js";
import { t } from "../app/words.js";
import { qrcode } from "../vendor/qrcode.js";

const LIFE_SECONDS = 60;

export async function show({ signal }) {
  const people = await household(signal);
  const problems = h("div", {});
  const square = h("div", { class: "qr" });
  const left = h("p", { class: "left" });
  const meter = h("meter", { min: 0, max: LIFE_SECONDS, low: 10, "aria-label": t("seconds-left-label") });
  const whose = people.length > 1 && field({
    name: "person", label: t("whose-code"), required: true, value: people[0].id,
    options: people.map((one) => [one.id, one.isMe ? t("me", { name: one.name }) : one.name]),
  });
  let until = 0; // by the clock here: a code lives a minute, whatever time the clock says it is
  let asking = false;
  let failures = 0;
  whose && whose.input.addEventListener("change", fresh);

  async function fresh() {
    asking = true;
    put(square);
    const id = whose ? whose.read() : people[0].id;
    try {
      const answer = await call("POST", `/v1/persons/${id}/credentials`, { body: {}, signal });
      if (id !== (whose ? whose.read() : id)) return fresh(); // another was chosen meanwhile
      put(square, drawn(answer.credential.value));
      put(problems);
      until = Date.now() + LIFE_SECONDS * 1000;
      failures = 0;
    } catch (problem) {
      until = 0;
      failures += 1;
      showProblem(problems, problem);
    }
    asking = false;
    return tell();
  }
  function tell() {
    const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
    meter.value = seconds;
    put(left, until ? t("seconds-left", { seconds }) : t("no-code"));
    if (until && seconds === 0 && !asking) fresh();
  }
  const timer = setInterval(() => {
    tell();
    if (!until && !asking && failures && failures < 5) fresh();
  }, 1000);
  signal.addEventListener("abort", () => clearInterval(timer));
  window.addEventListener("online", () => !until && !asking && fresh(), { signal });
  await fresh();
  return h("div", { class: "code" }, h("h1", {}, t("code-title")), whose && whose.node, problems, square, left, meter,
    h("p", { class: "box note" }, t("own-code-only")));
}

/** The code as a drawing. */
function drawn(text) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const quiet = 4;
  let path = "";
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      if (code.isDark(row, column)) path += `M${column + quiet} ${row + quiet}h1v1h-1z`;
    }
  }
  const side = size + 2 * quiet;
  return svg("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": t("code-alt"), "data-value": text },
    svg("rect", { width: side, height: side, fill: "#fff" }), svg("path", { d: path, fill: "#000" }));
}
