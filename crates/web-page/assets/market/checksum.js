// The checksum of a book: CRC-32 (IEEE) over its best 10 levels of each side, "price:quantity" joined by "|".

/** Levels of each side that the checksum covers. */
const LEVELS = 10;
const POLYNOMIAL = 0xedb88320;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1)
    remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder;
});

export function crc32(text) {
  let sum = 0xffffffff;
  for (let at = 0; at < text.length; at += 1) sum = TABLE[(sum ^ text.charCodeAt(at)) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/** Of levels as [price, quantity], best first. */
export const checksum = (bids, asks) =>
  crc32(
    [...bids.slice(0, LEVELS), ...asks.slice(0, LEVELS)]
      .map(([price, quantity]) => `${price}:${quantity}`)
      .join('|'),
  );
