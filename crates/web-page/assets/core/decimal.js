// Decimal strings, exactly: money never passes through a float here. Pixels may.

/** Fractional digits of a sort key: more than any amount has (28 significant digits). */
const KEY_SCALE = 28;

const parts = (text) => {
  const [whole, fraction = ''] = text.split('.');
  return [BigInt(whole + fraction), fraction.length];
};

const text = (units, scale) => {
  const negative = units < 0n;
  const digits = (negative ? -units : units).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  return (negative ? '-' : '') + whole + (fraction ? `.${fraction}` : '');
};

const both = (a, b) => {
  const [left, leftScale] = parts(a);
  const [right, rightScale] = parts(b);
  const scale = Math.max(leftScale, rightScale);
  return [left * 10n ** BigInt(scale - leftScale), right * 10n ** BigInt(scale - rightScale), scale];
};

export const add = (a, b) => {
  const [left, right, scale] = both(a, b);
  return text(left + right, scale);
};

export const subtract = (a, b) => {
  const [left, right, scale] = both(a, b);
  return text(left - right, scale);
};

export const multiply = (a, b) => {
  const [left, leftScale] = parts(a);
  const [right, rightScale] = parts(b);
  return text(left * right, leftScale + rightScale);
};

/** Negative, zero or positive. */
export const compare = (a, b) => {
  const [left, right] = both(a, b);
  return left < right ? -1 : Number(left > right);
};

/** A number that sorts as the decimal does. */
export const sortKey = (decimal) => {
  const [whole, fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(KEY_SCALE, '0'));
};

/** Is it a decimal greater than zero, as the server reads one? */
export const isPositive = (entered) => /^\d{1,20}(\.\d{1,20})?$/.test(entered) && /[1-9]/.test(entered);
