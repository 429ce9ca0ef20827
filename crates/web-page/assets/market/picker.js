// Which market a view shows.

import { el } from '../core/dom.js';

/** BTC/USDT as it stands in an address of the page: BTC-USDT. */
export const inAddress = (symbol) => symbol.replace('/', '-');

/** The market that is named, or the first. */
export const chosen = (markets, named) =>
  markets.find(({ symbol }) => inAddress(symbol) === named) ?? markets[0];

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
