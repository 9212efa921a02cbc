// Where rules come from, in words a family understands; the exact sources are folded away.

import { h, put } from "./dom.js";
import { regionNames } from "./people.js";
import { listed, t } from "./words.js";

const IDS = /\s*\([A-Z]{3}-\d+(, [A-Z]{3}-\d+)*\)/g; // numbers of our own lists of rules

/** Steps of a reckoning: `content(step)`, and below it on what it rests; `region` is its name, if known. */
export function whyList(steps, content, region = "") {
  return [
    h("ol", { class: "why" }, steps.map((one) => h("li", {}, content(one), h("small", {}, said(one.source, region))))),
    exact(steps.map((one) => one.source)),
  ];
}

/** The rules that decided something: whose they are and since when. */
export function rulesOf(policy) {
  const blocks = policy?.blocks ?? [];
  if (!blocks.length) return null;
  const words = h("span", {}, t("rule-local"));
  regionNames().then((names) => put(words, listed(blocks.map((one) => since(one, names))) || t("rule-local")), () => {});
  return h("div", {}, words, exact(blocks));
}

/** The name of the region whose rules come last in `blocks`: those of the place. */
export async function placeOf(policy) {
  const names = await regionNames().catch(() => new Map());
  return names.get(policy?.blocks?.at(-1)?.split("@")[0]) ?? "";
}

function since(block, names) {
  const [code, day] = block.split("@");
  return names.has(code) && t("rules-since", { region: names.get(code), day });
}

function said(source, region) {
  const words = source.split(";").map((part) => inWords(part.trim(), region));
  return listed([...new Set(words)]);
}

function inWords(part, region) {
  if (part.startsWith("docs/seeds/")) return region ? t("rule-of", { region }) : t("rule-local");
  if (part.startsWith("docs/")) return t("rule-read");
  if (/^[\w-]+(\.[\w-]+)+/.test(part)) return t("rule-published");
  return part.replace(IDS, "");
}

function exact(sources) {
  const all = [...new Set(sources)].filter(Boolean);
  if (!all.length) return null;
  return h("details", { class: "exact" }, h("summary", {}, t("exact-sources")), h("ul", { class: "small" }, all.map((one) => h("li", {}, one))));
}
