// Charts drawn as SVG, each with a title and, in words, what it shows; beside each stands a table with
// all its numbers.

import { h, newId, svg } from "./dom.js";
import { money } from "./money.js";
import { isLarge, t } from "./words.js";

const LINE = 18;
const BAR = 12;
const GAP = 10;

/** Bars side by side: rows of {label, fen}; the longest fills the width. `kinds` is how many colours. */
export function bars(title, rows, kinds = 1) {
  const { width } = scale();
  return rowsOf(title, rows, (row, place, part) => rect(0, Math.max(2, part * width), `bar-${place % kinds}`));
}

/** Bars to both sides of a line: what is to be had to the right, what is owed to the left. */
export function sides(title, rows) {
  const half = scale().width / 2;
  const middle = svg("line", { x1: half, x2: half, y1: 0, y2: "100%", class: "middle" });
  return rowsOf(title, rows, ({ fen }, _, part) => {
    const long = Math.max(2, part * half);
    return fen.startsWith("-") ? rect(half - long, long, "bar-owed") : rect(half, long, "bar-had");
  }, middle);
}

/** Columns over time: a list of {label, count}; the greatest fills the height. */
export function columns(title, points) {
  const top = points.reduce((most, one) => (one.count > most.count ? one : most), { count: 0, label: "" });
  const greatest = Math.max(1, top.count);
  const drawn = points.map(({ count }, place) =>
    svg("rect", { x: place + 0.1, y: 1 - count / greatest, width: 0.8, height: count / greatest, class: "bar bar-0" }));
  const says = t("chart-columns", { from: points[0]?.label, to: points.at(-1)?.label, most: String(top.count), at: top.label });
  const picture = drawing(title, says, `0 0 ${points.length} 1`, drawn, { class: "columns", preserveAspectRatio: "none" });
  return h("div", {}, h("small", { class: "soft", "aria-hidden": "true" }, String(greatest)), picture,
    h("div", { class: "ends soft small", "aria-hidden": "true" }, h("span", {}, points[0]?.label), h("span", {}, points.at(-1)?.label)));
}

/** A table: a caption, headings, and rows of cells; cells of `numbers` columns stand to the right.
 * Its roles are written out: in large type on a phone its rows are cards, and stay rows for a screen reader. */
export function table(caption, headings, rows, numbers = []) {
  const kind = (place) => (numbers.includes(place) ? "number" : undefined);
  return h("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { role: "table" },
      h("caption", {}, caption),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" },
        headings.map((text, place) => h("th", { role: "columnheader", scope: "col", class: kind(place) }, text)))),
      h("tbody", { role: "rowgroup" }, rows.map((cells) => h("tr", { role: "row" },
        cells.map((cell, place) => h("td", { role: "cell", class: kind(place), "data-label": headings[place] }, cell)))))));
}

function drawing(title, says, viewBox, children, more = {}) {
  const [name, description] = [newId("chart"), newId("chart")];
  return svg("svg", { class: "chart", role: "img", "aria-labelledby": name, "aria-describedby": description, viewBox, ...more },
    svg("title", { id: name }, title), svg("desc", { id: description }, says), children);
}

/** How wide a drawing is in its own measure, and how many lines of text a row has; large type needs room. */
function scale() {
  return isLarge() ? { width: 270, lines: 2 } : { width: 360, lines: 1 };
}

/** Rows of text with what `draw(row, place, part)` makes below it; `part` is its part of the greatest. */
function rowsOf(title, rows, draw, behind) {
  const { width, lines } = scale();
  const high = lines * LINE + BAR + GAP;
  const greatest = greatestOf(rows);
  const drawn = rows.map((row, place) => {
    const texts = lines === 1 ? [`${row.label}  ${money(row.fen)}`] : [row.label, money(row.fen)];
    const bar = draw(row, place, part(row.fen, greatest));
    bar.setAttribute("y", lines * LINE + 1);
    return svg("g", { transform: `translate(0 ${place * high})` },
      texts.map((text, line) => svg("text", { x: 0, y: line * LINE + 13, class: "bar-label" }, text)), bar);
  });
  return drawing(title, told(rows), `0 0 ${width} ${rows.length * high}`, [behind, drawn]);
}

function rect(x, width, kind) {
  return svg("rect", { x, width, rx: 4, height: BAR, class: `bar ${kind}` });
}

function told(rows) {
  return rows.map((row) => `${row.label} ${money(row.fen)}`).join("；");
}

function greatestOf(rows) {
  return rows.reduce((most, row) => (size(row.fen) > most ? size(row.fen) : most), 1n);
}

/** Which part of the greatest an amount is: of a drawing's width, not money. */
function part(fen, greatest) {
  return Number((size(fen) * 1000n) / greatest) / 1000;
}

function size(fen) {
  const value = BigInt(fen);
  return value < 0n ? -value : value;
}
