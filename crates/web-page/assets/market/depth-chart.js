// The depth of both sides around the middle, as steps.

import { axis, chart, stepped } from '../core/chart.js';
import { el, write } from '../core/dom.js';
import { price as shownPrice } from '../core/format.js';

const HEIGHT = 200;
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

/** What is shown of the prices: as far down as up. */
function reach(bids, asks) {
  const middle =
    bids.length && asks.length ? (bids[0].price + asks[0].price) / 2 : (bids[0] ?? asks[0]).price;
  const distances = [...bids, ...asks].map(({ price }) => Math.abs(price - middle));
  const far = (Math.max(...distances) || middle * AROUND) * 1.06;
  return { low: middle - far, middle, high: middle + far };
}

/** Prices from the lowest to the highest, and both sums at each: a side has none where the other is. */
function columns(bids, asks, { low, high }) {
  const down = bids.toReversed();
  const nothing = (side) => side.map(() => null);
  return [
    [low, ...down.map(({ price }) => price), ...asks.map(({ price }) => price), high],
    [bids.at(-1)?.sum ?? null, ...down.map(({ sum }) => sum), ...nothing(asks), null],
    [null, ...nothing(bids), ...asks.map(({ sum }) => sum), asks.at(-1)?.sum ?? null],
  ];
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
  const reading = el('p', { class: 'faint reading' }, 'Point at the chart to read it.');
  let shown = { low: 0, high: 1, decimals: 2 };

  const read = ({ cursor, posToVal }) => {
    if (cursor.left === undefined || cursor.left < 0) return;
    const at = posToVal(cursor.left, 'x');
    const bidding = at < shown.middle;
    const levels = bidding ? shown.bids : shown.asks;
    const within = levels.filter(({ price }) => (bidding ? price >= at : price <= at)).at(-1);
    const words = within
      ? `${within.sum.toPrecision(8).replace(/\.?0+$/, '')} ${bidding ? 'bid' : 'asked'} up to ${shownPrice(within.text)}`
      : 'nothing between here and the middle';
    write(reading, words);
  };
  const side = (ink, tone, align) => ({
    stroke: () => ink(tone),
    fill: () => ink(`${tone}-wash`),
    width: 1.5,
    paths: stepped({ align }),
    points: { show: false },
  });
  const picture = chart(HEIGHT, (ink) => ({
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [shown.low, shown.high] },
      y: { range: (_, __, most) => [0, (most || 1) * 1.08] },
    },
    axes: [
      axis(ink, {
        grid: { show: false },
        size: 26,
        space: 90,
        values: (_, prices) => prices.map((price) => shownPrice(price.toFixed(shown.decimals))),
      }),
      axis(ink, { size: 48, space: 40 }),
    ],
    // What is bid holds downwards from each price, what is asked upwards.
    series: [{}, side(ink, 'good', -1), side(ink, 'bad', 1)],
    hooks: { setCursor: [read] },
  }));
  const node = el('div', {}, picture.node, reading);

  const draw = (bidLevels, askLevels, decimals = 2) => {
    const [bids, asks] = [steps(bidLevels), steps(askLevels)];
    node.hidden = bids.length + asks.length === 0;
    if (node.hidden) return;
    shown = { ...reach(bids, asks), bids, asks, decimals };
    picture.draw(columns(bids, asks, shown), describe(bids, asks));
  };
  return { node, draw, stop: picture.stop };
}
