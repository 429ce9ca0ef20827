// Charts: uPlot, in the colours of the page and as wide as its place. Floats are pixels here, never money.

import { el } from './dom.js';
import { onTheme } from './theme.js';

const { uPlot } = globalThis;
const FONT = '11px system-ui, sans-serif';

export const { stepped, linear } = uPlot.paths;

/** An axis in the page's colours; `more` says what it shows. */
export const axis = (ink, more) => ({
  stroke: () => ink('faint'),
  font: FONT,
  grid: { stroke: () => ink('edge'), width: 1 },
  ticks: { show: false },
  ...more,
});

/**
 * A picture of `data`, as uPlot wants it. `options(ink)` gives its options; `ink(name)` what a colour of the style sheet is
 * at this moment: a canvas knows neither variables nor schemes. `draw(data, words)` repaints and tells it in words.
 */
export function chart(height, options) {
  const probe = el('span', { hidden: true });
  const node = el('div', { class: 'chart', role: 'img' }, probe);
  let plot;
  let data;
  const ink = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const fit = () => {
    const width = node.clientWidth;
    if (width === 0 || !data) return;
    if (plot) plot.setSize({ width, height });
    else plot = new uPlot({ width, height, legend: { show: false }, ...options(ink) }, data, node);
  };
  const sizes = new ResizeObserver(fit);
  sizes.observe(node);
  const forget = onTheme(() => plot?.redraw());
  const draw = (shown, words) => {
    data = shown;
    node.setAttribute('aria-label', words);
    if (plot) plot.setData(data);
    else fit();
  };
  const stop = () => {
    forget();
    sizes.disconnect();
    plot?.destroy();
  };
  return { node, draw, stop };
}
