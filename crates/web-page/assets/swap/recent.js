// The swaps that were placed in this browser: the server lists nobody's swaps, an order is known by its id.

import { el } from '../core/dom.js';
import { short, time } from '../core/format.js';

const KEY = 'fillstream.swaps';
/** As many as one looks back on. */
const KEPT = 12;

export function recentSwaps() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}

export function remember(orderId, { amount, tokenIn, tokenOut }) {
  const swap = { orderId, amount, tokenIn, tokenOut, at: new Date().toISOString() };
  localStorage.setItem(KEY, JSON.stringify([swap, ...recentSwaps()].slice(0, KEPT)));
}

export function recentList(current) {
  const link = ({ orderId, amount, tokenIn, tokenOut, at }) =>
    el(
      'li',
      {},
      el(
        'a',
        { href: `#/swap/${orderId}`, 'aria-current': orderId === current && 'true' },
        el('span', {}, `${amount} ${tokenIn} → ${tokenOut}`),
        el('span', { class: 'faint' }, `${time(at).slice(0, 8)} ${short(orderId)}`),
      ),
    );
  const find = el('input', { id: 'find', placeholder: 'order id', autocomplete: 'off', spellcheck: 'false' });
  const open = (event) => {
    event.preventDefault();
    location.hash = `#/swap/${find.value.trim()}`;
  };
  const swaps = recentSwaps();
  return el(
    'section',
    { class: 'panel' },
    el('h2', {}, 'Watch an order'),
    el(
      'form',
      { class: 'inline', onsubmit: open },
      el('label', { for: 'find', class: 'unseen' }, 'Order id'),
      find,
      el('button', { class: 'quiet' }, 'Watch'),
    ),
    swaps.length > 0 && el('h3', {}, 'Placed in this browser'),
    el('ul', { class: 'recent' }, swaps.map(link)),
  );
}
