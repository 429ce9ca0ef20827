// Both venues' quotes side by side, the better one marked.

import { compare, multiply, subtract } from '../core/decimal.js';
import { el } from '../core/dom.js';
import { price } from '../core/format.js';

const VENUES = [
  ['raydium', 'Raydium', 'raydiumQuote'],
  ['meteora', 'Meteora', 'meteoraQuote'],
];

function quote([venue, name, key], order) {
  const quoted = order[key];
  const chosen = order.selectedDex === venue;
  const other = VENUES.find(([, , field]) => field !== key)[2];
  let remark = quoted ? 'no other quote' : 'asked when the order is routed';
  if (!quoted && order.attempt) remark = order.answered ? 'did not quote' : 'asked, not answered yet';
  if (quoted && order[other]) {
    const difference = compare(quoted, order[other]);
    const apart = multiply(subtract(quoted, order[other]), order.amount);
    remark =
      difference === 0
        ? 'the same price'
        : `${difference > 0 ? '+' : ''}${price(apart)} ${order.tokenOut} for ${price(order.amount)} ${order.tokenIn}`;
  }
  return el(
    'div',
    { class: chosen ? 'quote chosen' : 'quote' },
    el('h3', {}, name, chosen && el('span', { class: 'tag good' }, 'chosen')),
    el('p', { class: 'figure' }, quoted ? price(quoted) : '–'),
    el('p', { class: 'faint' }, quoted ? `${order.tokenOut} per ${order.tokenIn}, fee included` : ''),
    el('p', { class: tone(order, key, other) }, remark),
  );
}

const tone = (order, key, other) =>
  order[key] && order[other] ? (compare(order[key], order[other]) >= 0 ? 'up' : 'down') : 'faint';

/** The two cards for what is known of the order. */
export const quotes = (order) =>
  el(
    'section',
    { class: 'quotes', 'aria-label': 'Quotes' },
    VENUES.map((venue) => quote(venue, order)),
  );
