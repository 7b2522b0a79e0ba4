// Amounts as whole centimes, quantities as whole thousandths: no floats in sums.

const NARROW_SPACE = "\u202f";

/** 123450 -> "1 234,50". */
export function french(centimes) {
  const sign = centimes < 0 ? "-" : "";
  const all = Math.abs(centimes);
  const whole = String(Math.floor(all / 100)).replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE);
  return `${sign}${whole},${String(all % 100).padStart(2, "0")}`;
}

/** "1 234,5" -> 123450; null when it is not an amount. */
export function centimes(typed) {
  const plain = typed.replace(/\s/g, "").replace(",", ".");
  if (!/^\d{1,9}(\.\d{0,2})?$/.test(plain)) return null;
  const [whole, part = ""] = plain.split(".");
  return Number(whole) * 100 + Number(part.padEnd(2, "0"));
}

/** "0,25" -> 250; null when it is not a quantity. */
export function thousandths(typed) {
  const plain = typed.replace(/\s/g, "").replace(",", ".");
  if (!/^\d{1,6}(\.\d{0,3})?$/.test(plain)) return null;
  const [whole, part = ""] = plain.split(".");
  return Number(whole) * 1000 + Number(part.padEnd(3, "0"));
}

/** 250 -> "0.25", as the server reads it. */
export function plainQuantity(quantity) {
  const part = String(quantity % 1000).padStart(3, "0").replace(/0+$/, "");
  return `${Math.floor(quantity / 1000)}${part ? `.${part}` : ""}`;
}

/** Price × quantity, half away from zero, as the server rounds. */
export function times(price, quantity) {
  return Math.floor((price * quantity * 2 + 1000) / 2000);
}

/** 250 -> "0,25", as people read it. */
export const shownQuantity = (quantity) => plainQuantity(quantity).replace(".", ",");

/** What a total comes to in coins: whole dinars, half away from zero, as the server says. */
export function cashDue(total) {
  return Math.floor((total + 50) / 100) * 100;
}
