// The depth of both sides around the middle, as steps. Plain SVG; floats are pixels here, never money.

import { el, svg, write } from '../core/dom.js';
import { price as shownPrice } from '../core/format.js';

const WIDTH = 600;
const HEIGHT = 190;
const FLOOR = HEIGHT - 1;
/** Levels of each side in the picture. */
const LEVELS = 60;
/** Share of the price that is shown around a single level, which has no distance to anything. */
const AROUND = 0.001;

function steps(levels) {
  let sum = 0;
  return levels.slice(0, LEVELS).map(([price, quantity]) => {
    sum += Number(quantity);
    return { price: Number(price), text: price, sum };
  });
}

/** The outline of one side, from the best price outwards to the edge. */
function outline(side, x, y, edge) {
  if (side.length === 0) return '';
  let path = `M${x(side[0].price)},${FLOOR}`;
  side.forEach(({ price, sum }) => {
    path += `H${x(price)}V${y(sum)}`;
  });
  return `${path}H${edge}V${FLOOR}Z`;
}

function scales(bids, asks) {
  const all = [...bids, ...asks].map(({ price }) => price);
  const middle =
    bids.length && asks.length ? (bids[0].price + asks[0].price) / 2 : (bids[0] ?? asks[0]).price;
  const reach = (Math.max(...all.map((price) => Math.abs(price - middle))) || middle * AROUND) * 1.06;
  const most = Math.max(bids.at(-1)?.sum ?? 0, asks.at(-1)?.sum ?? 0);
  return {
    low: middle - reach,
    middle,
    high: middle + reach,
    x: (price) => (((price - middle) / reach + 1) * WIDTH) / 2,
    y: (sum) => FLOOR - (sum / most) * (FLOOR - 12),
  };
}

function describe(bids, asks) {
  const side = (name, levels) =>
    levels.length
      ? `${levels.at(-1).sum.toPrecision(6)} ${name} down to level ${levels.length}`
      : `nothing ${name}`;
  return `Depth: ${side('bid', bids)}, ${side('asked', asks)}`;
}

/** `draw(bids, asks, decimals)` repaints. */
export function depthChart() {
  const [bidArea, askArea] = [svg('path', { class: 'area bid' }), svg('path', { class: 'area ask' })];
  const middle = svg('line', { class: 'middle', y1: 6, y2: FLOOR });
  const cursor = svg('line', { class: 'cursor', y1: 6, y2: FLOOR, visibility: 'hidden' });
  const labels = ['lowest', 'middle', 'highest'].map(() => el('span'));
  const picture = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'depth', preserveAspectRatio: 'none' },
    bidArea,
    askArea,
    middle,
    cursor,
  );
  const reading = el('p', { class: 'faint reading' }, 'Point at the chart to read it.');
  const node = el('div', {}, picture, el('div', { class: 'axis', 'aria-hidden': 'true' }, labels), reading);
  let shown;

  picture.addEventListener('pointermove', (event) => {
    if (!shown) return;
    const { left, width } = picture.getBoundingClientRect();
    const share = (event.clientX - left) / width;
    const at = shown.low + share * (shown.high - shown.low);
    const levels = at < shown.middle ? shown.bids : shown.asks;
    const within = levels.filter(({ price }) => (at < shown.middle ? price >= at : price <= at)).at(-1);
    cursor.setAttribute('visibility', 'visible');
    ['x1', 'x2'].forEach((name) => cursor.setAttribute(name, share * WIDTH));
    const words = within
      ? `${within.sum.toPrecision(8).replace(/\.?0+$/, '')} ${at < shown.middle ? 'bid' : 'asked'} up to ${shownPrice(within.text)}`
      : 'nothing between here and the middle';
    write(reading, words);
  });
  picture.addEventListener('pointerleave', () => cursor.setAttribute('visibility', 'hidden'));

  const draw = (bidLevels, askLevels, decimals = 2) => {
    const [bids, asks] = [steps(bidLevels), steps(askLevels)];
    node.hidden = bids.length + asks.length === 0;
    if (node.hidden) return;
    const scale = scales(bids, asks);
    shown = { ...scale, bids, asks };
    bidArea.setAttribute('d', outline(bids, scale.x, scale.y, 0));
    askArea.setAttribute('d', outline(asks, scale.x, scale.y, WIDTH));
    ['x1', 'x2'].forEach((name) => middle.setAttribute(name, WIDTH / 2));
    [scale.low, scale.middle, scale.high].forEach((price, at) =>
      write(labels[at], shownPrice(Math.max(price, 0).toFixed(decimals))),
    );
    picture.setAttribute('aria-label', describe(bids, asks));
  };
  return { node, draw };
}
