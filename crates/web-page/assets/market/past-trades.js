// The trades of a market, read backwards as far as somebody looks.

import { get } from '../core/api.js';
import { inAddress } from './picker.js';

/** Trades that are shown at a position, and pages that are read to find them. */
const TRADES = 30;
const MOST_PAGES = 20;

export class PastTrades {
  #path;
  #cursor = '';
  #complete = false;
  trades = [];

  constructor(symbol) {
    this.#path = `/api/v1/markets/${inAddress(symbol)}/trades?limit=500`;
  }

  /** The latest trades at or before `at`. */
  async upTo(at, signal) {
    for (let page = 0; page < MOST_PAGES && !this.#complete && this.#before(at).length < TRADES; page += 1) {
      const { trades, cursor } = await get(this.#path + (this.#cursor && `&cursor=${this.#cursor}`), {
        signal,
      });
      this.trades.push(...trades);
      this.#cursor = cursor;
      this.#complete = !cursor;
    }
    return this.#before(at).slice(0, TRADES);
  }

  #before(at) {
    return this.trades.filter(({ seq }) => seq <= at);
  }
}
