// The trades of a market, the latest first, each once.

import { compare } from '../core/decimal.js';
import { el, heads } from '../core/dom.js';
import { price, time } from '../core/format.js';
import { user } from '../core/identity.js';

/** Trades that are shown. */
const SHOWN = 60;

const later = (a, b) => b.seq - a.seq || b.index - a.index;

function row(trade, before, decimals) {
  const moved = before ? compare(trade.price, before.price) : 0;
  const arrow = moved > 0 ? '▲' : moved < 0 ? '▼' : '';
  const sides = [trade.buyer_id === user() && 'bought', trade.seller_id === user() && 'sold'].filter(Boolean);
  return el(
    'tr',
    { class: sides.length ? 'mine' : '' },
    el('td', {}, time(trade.executed_at)),
    el(
      'td',
      { class: `number ${moved > 0 ? 'up' : moved < 0 ? 'down' : ''}` },
      price(trade.price, decimals),
      el('span', { class: 'arrow' }, arrow),
    ),
    el('td', { class: 'number' }, price(trade.quantity)),
    el('td', { class: 'faint' }, sides.join(', ')),
    el('td', { class: 'number seq' }, String(trade.seq)),
  );
}

/** `take(trades)` adds those that are new and tells whether there were any; `draw(decimals)` repaints. */
export function tradeTape() {
  let trades = [];
  const known = new Set();
  let drawn;
  const body = el('tbody');
  const empty = el('p', { class: 'faint' }, 'No trade yet.');
  const node = el(
    'div',
    { class: 'scroll tape', tabindex: 0, role: 'region', 'aria-label': 'Trades, the latest first' },
    el(
      'table',
      {},
      heads(['Time', { number: 'Price' }, { number: 'Quantity' }, '', { number: 'Seq' }]),
      body,
    ),
    empty,
  );
  const take = (more) => {
    const fresh = more.filter(({ trade_id: id }) => !known.has(id));
    if (fresh.length === 0) return false;
    fresh.forEach(({ trade_id: id }) => known.add(id));
    trades = [...fresh, ...trades].sort(later);
    // One more than is shown: the last one's arrow needs it.
    trades.splice(SHOWN + 1).forEach(({ trade_id: id }) => known.delete(id));
    return true;
  };
  const draw = (decimals) => {
    if (drawn === trades) return;
    drawn = trades;
    empty.hidden = trades.length > 0;
    body.replaceChildren(...trades.slice(0, SHOWN).map((trade, at) => row(trade, trades[at + 1], decimals)));
  };
  return { node, take, draw, last: () => trades[0] };
}
