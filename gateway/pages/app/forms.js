// Fields, forms, and how a refusal is shown: at its field where it names one, else above the form.

import { h, newId, put } from "./dom.js";
import { isEnglish, t } from "./words.js";

/** A labelled input, select or textarea; `read()` its text, `fail(text)` its error. */
export function field({ name, label, hint, type = "text", options, value = "", required, ...more }) {
  const id = newId("field");
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const described = `${id}-error${hint ? ` ${id}-hint` : ""}`;
  const shared = { id, name, required, "aria-describedby": described, autocomplete: "off", ...more };
  let input;
  if (options) {
    input = h("select", shared, options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  } else if (type === "textarea") input = h("textarea", { rows: 3, ...shared, value });
  else input = h("input", { type, ...shared, value });
  const node = h("div", { class: "field" },
    h("label", { for: id }, label, required ? null : h("span", { class: "soft" }, ` ${t("optional")}`)),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint), input, error);
  input.addEventListener("input", () => fail(""));
  function fail(text) {
    error.hidden = !text;
    put(error, text);
    input.toggleAttribute("aria-invalid", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
  }
  return { name, node, input, fail, read: () => input.value.trim(), focus: () => input.focus() };
}

/** Radio buttons, or checkboxes when `several`; options are [key, text, more]. */
export function choice({ name, label, options, value, several = false, required = true }) {
  const id = newId("choice");
  const chosen = new Set([value].flat());
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const boxes = options.map(([key, text, more]) => {
    const box = h("input", { type: several ? "checkbox" : "radio", name: `${name}-${id}`, value: key, checked: chosen.has(key) });
    return { box, node: h("label", { class: "card choice" }, box, h("span", {}, text, more && h("small", {}, more))) };
  });
  const node = h("fieldset", { class: "field", "aria-describedby": `${id}-error` },
    h("legend", {}, label, required ? null : h("span", { class: "soft" }, ` ${t("optional")}`)), error,
    h("div", { class: "choices" }, boxes.map((one) => one.node)));
  const read = () => boxes.filter((one) => one.box.checked).map((one) => one.box.value);
  const fail = (text) => {
    error.hidden = !text;
    put(error, text);
  };
  node.addEventListener("change", () => fail(""));
  return { name, node, fail, read: several ? read : () => read()[0] ?? "", focus: () => boxes[0]?.box.focus() };
}

/** One box to tick. */
export function tick({ name, label, checked = false }) {
  const id = newId("tick");
  const error = h("p", { class: "error", id: `${id}-error`, hidden: true });
  const input = h("input", { type: "checkbox", name, checked, "aria-describedby": `${id}-error` });
  const fail = (text) => {
    error.hidden = !text;
    put(error, text);
  };
  input.addEventListener("change", () => fail(""));
  const node = h("div", { class: "field" }, h("label", { class: "tick" }, input, h("span", {}, label)), error);
  return { name, node, input, fail, read: () => input.checked, focus: () => input.focus() };
}

/**
 * A form: `send()` is called once at a time, also for a double click; what it throws is shown.
 * `fields` are those of above; a field whose name a problem names shows it.
 */
export function form({ fields, hidden = [], children = [], button, send, kind = "main", also = [] }) {
  const everyField = [...fields, ...hidden]; // `hidden` stand among the children
  const problems = h("div", {});
  const submit = h("button", { type: "submit", class: `button ${kind}` }, button);
  const node = h("form", { novalidate: true, onsubmit: submitted },
    problems, fields.map((one) => one.node), children, h("div", { class: "buttons" }, submit, also));
  let busy = false;
  async function submitted(event) {
    event.preventDefault();
    if (busy) return;
    busy = true;
    put(problems);
    for (const one of everyField) one.fail("");
    const wrong = fields.filter((one) => one.input?.required && !one.read());
    for (const one of wrong) one.fail(t("needed"));
    try {
      if (wrong.length) wrong[0].focus();
      else await working(submit, send);
    } catch (problem) {
      showProblem(problems, problem, everyField);
    } finally {
      busy = false;
    }
  }
  return { node, problems };
}

/** A button that does something once at a time; what it throws is shown in `problems`. */
export function action(text, act, { kind = "plain", problems, ...more } = {}) {
  const shown = problems ?? h("div", {});
  let busy = false;
  const button = h("button", { type: "button", class: `button ${kind}`, onclick: clicked, ...more }, text);
  async function clicked() {
    if (busy) return;
    busy = true;
    put(shown);
    try {
      await working(button, act);
    } catch (problem) {
      showProblem(shown, problem);
    } finally {
      busy = false;
    }
  }
  return problems ? button : h("span", { class: "action" }, button, shown);
}

/** Shows a problem, and its fields at their places; what a field has not, the box has. */
export function showProblem(place, problem, fields = []) {
  if (problem.name === "AbortError") return;
  const rest = [];
  let first;
  for (const { field: path, description } of problem.fields ?? []) {
    const name = path.split(".").at(-1).replace(/\[\d+\]$/, "");
    const found = fields.find((one) => one.name === name || one.name === path);
    if (found) found.fail(description);
    else rest.push(`${path}：${description}`);
    first ??= found;
  }
  const box = problemBox(problem, rest);
  put(place, box);
  (first ?? box).focus();
}

/** What went wrong, and what to do next. */
export function problemBox(problem, rest = []) {
  const isLost = problem.isUnknown && !problem.status;
  const isProblem = problem.status > 0;
  const isTheirs = isProblem && problem.isUnknown !== undefined; // what the page itself refuses is in its language
  const text = isLost ? t("offline") : isProblem ? problem.detail || problem.title : t("fault");
  return h("div", { class: "box bad", role: "alert", tabindex: -1 },
    h("strong", {}, isProblem && !isEnglish() ? problem.title || t("refused") : t("refused")),
    isEnglish() && isTheirs && h("p", {}, problem.detailEn || t("chinese-reasons")),
    h("p", { lang: isTheirs ? "zh-CN" : undefined }, text),
    rest.length > 0 && h("ul", {}, rest.map((one) => h("li", { lang: "zh-CN" }, one))),
    problem.reason && h("p", { class: "soft small" }, problem.reason),
    problem.status === 401 && h("button", { type: "button", class: "button", onclick: () => location.reload() }, t("sign-in-again")));
}

async function working(button, act) {
  button.setAttribute("aria-disabled", "true");
  button.classList.add("busy");
  try {
    await act();
  } finally {
    button.removeAttribute("aria-disabled");
    button.classList.remove("busy");
  }
}
