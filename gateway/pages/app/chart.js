// Charts drawn as SVG. Each stands beside a table that says the same, so the drawing itself is
// hidden from screen readers.

import { h, svg } from "./dom.js";
import { money } from "./money.js";

const WIDTH = 360;
const ROW = 40;

/** Bars side by side: rows of {label, fen}; the longest fills the width. */
export function bars(rows) {
  const greatest = rows.reduce((most, row) => (BigInt(row.fen) > most ? BigInt(row.fen) : most), 1n);
  const drawn = rows.flatMap((row, place) => {
    const y = place * ROW;
    const share = Number((BigInt(row.fen) * 1000n) / greatest) / 1000; // of the width, not money
    return [
      svg("text", { x: 0, y: y + 13, class: "bar-label" }, `${row.label}  ${money(row.fen)}`),
      svg("rect", { x: 0, y: y + 19, rx: 4, width: Math.max(2, share * WIDTH), height: 12, class: `bar bar-${place % 4}` }),
    ];
  });
  return drawing(rows.length * ROW, drawn);
}

/** Columns over time: a list of {label, count}; the greatest fills the height. */
export function columns(points) {
  const greatest = Math.max(1, ...points.map((one) => one.count));
  const drawn = points.map(({ count }, place) =>
    svg("rect", { x: place + 0.1, y: 1 - count / greatest, width: 0.8, height: count / greatest, class: "bar bar-0" }));
  const picture = svg("svg", { class: "columns", viewBox: `0 0 ${points.length} 1`, preserveAspectRatio: "none" }, drawn);
  return h("div", { "aria-hidden": "true" }, h("small", { class: "soft" }, String(greatest)), picture,
    h("div", { class: "ends soft small" }, h("span", {}, points[0]?.label), h("span", {}, points.at(-1)?.label)));
}

/** A table: a caption, headings, and rows of cells; cells of `numbers` columns stand to the right. */
export function table(caption, headings, rows, numbers = []) {
  const kind = (place) => (numbers.includes(place) ? "number" : undefined);
  return h("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, headings.map((text, place) => h("th", { scope: "col", class: kind(place) }, text)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, place) => h("td", { class: kind(place) }, cell)))))));
}

function drawing(height, children) {
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, "aria-hidden": "true" }, children);
}
