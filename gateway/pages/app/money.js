// Money: fen in strings of digits to yuan for people, and back. Never a floating-point number.

const FEN = 100n;

/** "386520" -> "3,865.20"; a minus sign for what leaves. */
export function yuan(fen) {
  const value = BigInt(fen ?? 0);
  const size = value < 0n ? -value : value;
  const whole = String(size / FEN).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${value < 0n ? "−" : ""}${whole}.${String(size % FEN).padStart(2, "0")}`;
}

/** "¥3,865.20". */
export function money(fen) {
  const text = yuan(fen);
  return text.startsWith("−") ? `−¥${text.slice(1)}` : `¥${text}`;
}

/** "12.5" -> "1250"; null for what is no amount of yuan with at most two places. */
export function fenOf(text) {
  const found = /^(\d{1,10})(?:\.(\d{1,2}))?$/.exec(text.trim().replaceAll(",", ""));
  if (!found) return null;
  return String(BigInt(found[1]) * FEN + BigInt((found[2] ?? "").padEnd(2, "0")));
}

/** The sum of amounts in fen, as a string. */
export function sum(amounts) {
  return String(amounts.reduce((total, fen) => total + BigInt(fen ?? 0), 0n));
}
