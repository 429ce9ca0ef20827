// Orders for a market in which nobody has placed any: real orders, placed like everybody's, by a user made up for it.

import { call } from '../core/api.js';
import { newUuid } from '../core/identity.js';

/** Where the sample stands, whole units of the quote; beside it an unknown market begins at 100. */
const MIDDLES = { 'BTC/USDT': 96_500, 'ETH/USDT': 3_300, 'SOL/USDC': 145 };
const LEVELS = 14;

/** Cents as a decimal. */
const decimal = (cents) => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;

/** Levels at both sides, some of them twice, and a trade or two. */
export async function placeSample(symbol) {
  const middle = (MIDDLES[symbol] ?? 100) * 100;
  const step = Math.max(1, Math.round(middle / 4000));
  const maker = newUuid();
  const order = (user, side, cents, quantity) => ({
    user_id: user,
    symbol,
    side,
    type: 'LIMIT',
    price: decimal(cents),
    quantity: decimal(quantity),
  });
  const levels = Array.from({ length: LEVELS }, (_, at) => at + 1);
  const resting = levels.flatMap((at) => {
    const quantity = () => 10 + Math.floor(Math.random() * 40 * (2 + at));
    return [
      order(maker, 'BUY', middle - at * step, quantity()),
      order(maker, 'SELL', middle + at * step, quantity()),
    ];
  });
  const taker = newUuid();
  const taking = [
    order(taker, 'BUY', middle + step, 4),
    order(taker, 'SELL', middle - step, 6),
    order(taker, 'BUY', middle + step, 3),
  ];
  await call('POST', '/api/v1/orders/batch', { body: { orders: [...resting, ...taking] } });
}
