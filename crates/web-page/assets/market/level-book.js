// A market's book by levels, as `depth_snapshot` and `depth_update` tell it, and the proof that it is the server's.

import { sortKey } from '../core/decimal.js';
import { checksum } from './checksum.js';

/** Levels sorted best first; `sign` is 1 where the lowest price is best. */
class Side {
  levels = [];
  #keys = [];
  #sign;

  constructor(sign) {
    this.#sign = sign;
  }

  replace(levels) {
    this.levels = levels;
    this.#keys = levels.map(([price]) => this.#key(price));
  }

  /** Sets the quantity of a level; "0" removes it. */
  set(price, quantity) {
    const key = this.#key(price);
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    const there = this.#keys[low] === key ? 1 : 0;
    const wanted = quantity !== '0';
    this.levels.splice(low, there, ...(wanted ? [[price, quantity]] : []));
    this.#keys.splice(low, there, ...(wanted ? [key] : []));
  }

  #key(price) {
    return sortKey(price) * this.#sign;
  }
}

export class LevelBook {
  #bids = new Side(-1n);
  #asks = new Side(1n);
  /** What the server said last, and whether ours is the same. */
  checksum = 0;
  proven = false;
  proofs = 0;

  get bids() {
    return this.#bids.levels;
  }

  get asks() {
    return this.#asks.levels;
  }

  /** Takes the whole book. */
  replace({ bids, asks, checksum: told }) {
    this.#bids.replace(bids);
    this.#asks.replace(asks);
    return this.#prove(told);
  }

  /** Takes the changed levels. */
  update({ bids, asks, checksum: told }) {
    bids.forEach(([price, quantity]) => this.#bids.set(price, quantity));
    asks.forEach(([price, quantity]) => this.#asks.set(price, quantity));
    return this.#prove(told);
  }

  #prove(told) {
    this.checksum = told;
    this.proven = checksum(this.bids, this.asks) === told;
    this.proofs += Number(this.proven);
    return this.proven;
  }
}
