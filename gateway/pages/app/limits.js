// A donor's limits on one relative, as fields in yuan.

import { field } from "./forms.js";
import { fenOf, yuan } from "./money.js";
import { t } from "./words.js";

const LIMITS = ["per_settlement_fen", "per_day_fen", "per_month_fen", "per_year_fen"];

/** The four fields, with what holds now. */
export function limitFields(limits) {
  return LIMITS.map((name) =>
    field({ name, label: t(name), inputmode: "decimal", hint: t("yuan-hint"),
      value: limits?.[name] === undefined ? "" : yuan(limits[name]).replaceAll(",", "") }));
}

/** The limits as the contract has them; undefined for none; throws what is no amount. */
export function readLimits(fields) {
  const limits = {};
  for (const one of fields) {
    if (!one.read()) continue;
    const fen = fenOf(one.read());
    if (fen === null) throw refused(one, t("no-amount"));
    if (BigInt(fen) === 0n) throw refused(one, t("no-zero-limit"));
    limits[one.name] = fen;
  }
  return Object.keys(limits).length ? limits : undefined;
}

function refused({ name }, text) {
  return { status: 400, title: t("refused"), detail: text, fields: [{ field: name, description: text }] };
}
