// Which market a view shows.

import { el } from '../core/dom.js';

/** BTC/USDT as it stands in an address of the page: BTC-USDT. */
export const inAddress = (symbol) => symbol.replace('/', '-');

/** The market that is named; the first one when none is. */
export const chosen = (markets, named) =>
  named ? markets.find(({ symbol }) => inAddress(symbol) === named) : markets[0];

/** In place of a market that is not there. */
export const noMarket = (markets, named, view) =>
  el(
    'p',
    { class: 'panel callout bad', role: 'alert' },
    markets.length ? `There is no market ${named} here. There are: ` : 'No market is defined: fillstream market add …',
    markets.map(({ symbol }) => el('a', { href: `#/${view}/${inAddress(symbol)}` }, `${symbol} `)),
  );

export function marketPicker(markets, current, view) {
  const select = el(
    'select',
    { 'aria-label': 'Market' },
    markets.map(({ symbol }) => el('option', { value: symbol, selected: symbol === current.symbol }, symbol)),
  );
  select.addEventListener('change', () => {
    location.hash = `#/${view}/${inAddress(select.value)}`;
  });
  return select;
}
