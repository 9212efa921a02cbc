// Whether a certificate's number can be one: an identity card's tells by its check digit (GB 11643, ISO 7064).

const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS = "10X98765432";

/** Whether it is 18 characters with a day of birth that was, and the right check digit. */
export function isIdCard(number) {
  if (!/^[1-9]\d{16}[\dX]$/.test(number)) return false;
  const [year, month, day] = [number.slice(6, 10), number.slice(10, 12), number.slice(12, 14)].map(Number);
  const born = new Date(Date.UTC(year, month - 1, day));
  if (born.getUTCMonth() !== month - 1 || born.getUTCDate() !== day) return false;
  const sum = WEIGHTS.reduce((total, weight, place) => total + weight * Number(number[place]), 0);
  return CHECKS[sum % CHECKS.length] === number[17];
}

/** Whether a number of another kind has neither blanks nor signs that no certificate has. */
export function isNumber(number) {
  return !/[\s<>\p{Cc}\p{Z}]/u.test(number);
}
