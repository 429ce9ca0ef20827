// How values are shown.

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hour12: false,
});
const whole = new Intl.NumberFormat('en-US');

/** 07:30:15.123, in the reader's time zone. */
export const time = (timestamp) => clock.format(new Date(timestamp));

/** 12,345 */
export const count = (number) => whole.format(number);

/** 1,234.50: thousands grouped, at least so many decimals, no digit lost. */
export function price(decimal, decimals = 0) {
  if (decimal === null || decimal === undefined) return '–';
  const [units, fraction = ''] = decimal.split('.');
  const grouped = units.replace(/\B(?=(\d{3})+$)/g, ',');
  const padded = fraction.padEnd(decimals, '0');
  return padded ? `${grouped}.${padded}` : grouped;
}

/** Decimals that a tick or a lot has: "0.01" has 2. */
export const decimalsOf = (unit) => (unit.split('.')[1] ?? '').length;

/** 850 ms, 1.50 s, 2 min 5 s, 3 h 20 min */
export function span(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(2)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** The end of an identifier, enough to tell two apart. */
export const short = (id) => `…${id.slice(-6)}`;

/** The error as a sentence for the reader. */
export const sentence = (error) => error?.message ?? String(error);
