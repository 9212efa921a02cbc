// What the pages say, in both languages: the logic. The texts are in dictionary*.js and terms.js.

import { FAMILY } from "./dictionary-family.js";
import { TEXTS } from "./dictionary.js";
import { both } from "./terms.js";

const ENGLISH = "gongji.english";
const LARGE = "gongji.large";

let english = localStorage.getItem(ENGLISH) === "yes";
let large = localStorage.getItem(LARGE) === "yes";

export const isEnglish = () => english;
export const isLarge = () => large;

/** Which language is spoken from now on. */
export function setEnglish(value) {
  english = value;
  localStorage.setItem(ENGLISH, value ? "yes" : "no");
}

/** Whether everything is large (适老). */
export function setLarge(value) {
  large = value;
  localStorage.setItem(LARGE, value ? "yes" : "no");
}

/** A text by its key, with `{name}` filled in. */
export function t(key, values = {}) {
  const text = (TEXTS[key] ?? FAMILY[key] ?? [key, key])[english ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Texts one after the other; what is empty is left out. */
export function listed(texts) {
  return texts.filter(Boolean).join(english ? ", " : "、");
}

/** A value of the contract, such as ("RELATION", "RELATION_PARENT"). */
export function term(kind, value) {
  return both(kind, value)[english ? 1 : 0];
}
