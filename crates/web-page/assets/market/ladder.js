// The ladder: asks above, bids below, each level with its quantity, the sum up to it, and a bar for that sum.

import { add } from '../core/decimal.js';
import { el, write } from '../core/dom.js';
import { price as shownPrice } from '../core/format.js';

/** Levels of each side that are shown. */
const ROWS = 12;

function makeRow(side, choose) {
  const [price, quantity, sum] = ['price', 'quantity', 'sum'].map((name) => el('span', { class: name }));
  const own = el('span', { class: 'own', title: 'Your order rests here' });
  const node = choose
    ? el('button', { type: 'button', class: `level ${side}`, tabindex: -1 }, own, price, quantity, sum)
    : el('div', { class: `level ${side}` }, own, price, quantity, sum);
  const row = { node, price, quantity, sum, own, at: '' };
  if (choose) node.addEventListener('click', () => row.at && choose(row.at));
  return row;
}

function paint(row, level, { decimals, most, ownPrices, changed }) {
  // A row without a level keeps its place, so that nothing jumps.
  row.node.classList.toggle('vacant', !level);
  row.at = level?.price ?? '';
  if (!level) return;
  write(row.price, shownPrice(level.price, decimals));
  write(row.quantity, shownPrice(level.quantity));
  write(row.sum, shownPrice(level.sum));
  const mine = ownPrices.has(level.price);
  write(row.own, mine ? '●' : '');
  row.node.classList.toggle('changed', changed.has(level.price));
  row.node.style.setProperty('--share', most > 0 ? String(Number(level.sum) / most) : '0');
  if (row.node.type === 'button')
    row.node.setAttribute(
      'aria-label',
      `${level.quantity} at ${level.price}, ${level.sum} up to here${mine ? ', with your order' : ''}`,
    );
}

/** One stop of the Tab key, the arrows go on from it: 24 levels are no 24 stops. */
function walk(rows) {
  const there = (row) => row && !row.node.classList.contains('vacant');
  const step = (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const next = rows[rows.findIndex(({ node }) => node === document.activeElement) + by];
    if (there(next)) next.node.focus();
  };
  const settle = () => {
    const nearest = [ROWS - 1, ROWS].map((at) => rows[at]).find(there);
    const stop = rows.find(({ node }) => node === document.activeElement) ?? nearest;
    rows.forEach((row) => row.node.setAttribute('tabindex', row === stop ? 0 : -1));
  };
  return { step, settle };
}

function summed(levels) {
  let sum = '0';
  return levels.slice(0, ROWS).map(([price, quantity]) => {
    sum = add(sum, quantity);
    return { price, quantity, sum };
  });
}

/** `choose(price)` is called for a level that is clicked; `draw(bids, asks, looks)` repaints. */
export function ladder(choose) {
  const rows = (side) => Array.from({ length: ROWS }, () => makeRow(side, choose));
  const [asks, bids] = [rows('ask'), rows('bid')];
  const { step, settle } = walk([...asks, ...bids]);
  const spread = el('div', { class: 'spread' });
  const heads = el(
    'div',
    { class: 'level heads', 'aria-hidden': 'true' },
    el('span', { class: 'own' }),
    ['Price', 'Quantity', 'Sum'].map((name) => el('span', {}, name)),
  );
  const node = el(
    'div',
    { class: 'ladder', role: 'group', 'aria-label': 'Levels', onkeydown: choose && step },
    heads,
    el(
      'div',
      { class: 'asks' },
      asks.map((row) => row.node),
    ),
    spread,
    el(
      'div',
      { class: 'bids' },
      bids.map((row) => row.node),
    ),
  );
  const draw = (
    bidLevels,
    askLevels,
    { decimals = 2, ownPrices = new Set(), changed = new Set(), middle = '' } = {},
  ) => {
    const [buying, selling] = [summed(bidLevels), summed(askLevels)];
    const most = Math.max(...[buying, selling].map((side) => Number(side.at(-1)?.sum ?? 0)));
    const looks = { decimals, most, ownPrices, changed };
    bids.forEach((row, at) => paint(row, buying[at], looks));
    // The best ask stands lowest.
    asks.forEach((row, at) => paint(row, selling[ROWS - 1 - at], looks));
    write(spread, middle);
    if (choose) settle();
  };
  return { node, draw };
}
