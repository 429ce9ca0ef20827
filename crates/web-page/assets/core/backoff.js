// How long to wait before a lost connection is opened again.

/** Quick at first, for a server that only restarts; bounded, for one that is gone. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;

export class Backoff {
  #pause = FIRST_PAUSE_MS;
  #openedAt = Infinity;

  /** The connection is open. */
  opened() {
    this.#openedAt = performance.now();
  }

  /** The pause after a loss. Only a connection that lasted makes it short again: one may open and break at once, for ever. */
  next() {
    if (performance.now() - this.#openedAt > LONGEST_PAUSE_MS) this.#pause = FIRST_PAUSE_MS;
    this.#openedAt = Infinity;
    const pause = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
    return pause;
  }
}
