// Elements without markup in strings, so that nothing people wrote can ever become code.

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes, `on...` listeners, `class`; children are nodes, texts, arrays, or nothing. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** As `h`, of an SVG drawing. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts other children into an element. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(9).filter(isThere));
  return element;
}

/** Answers a filler of an element: with what is made, unless something else was asked for meanwhile. */
export function latest(element) {
  let turn = 0;
  return async (make) => {
    turn += 1;
    const mine = turn;
    const made = await make();
    if (mine === turn) put(element, made);
  };
}

/** A new id for what a label, a hint or an error belongs to. */
export function newId(kind) {
  count += 1;
  return `${kind}-${count}`;
}

/** Says something to those who don't see it. */
export function speak(text) {
  document.getElementById("spoken").textContent = text;
}

let count = 0;

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in PROPERTIES) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(9).filter(isThere));
  return element;
}

const PROPERTIES = { value: 1, checked: 1, disabled: 1, hidden: 1, open: 1 };

function isThere(child) {
  return child !== undefined && child !== null && child !== false && child !== "";
}
