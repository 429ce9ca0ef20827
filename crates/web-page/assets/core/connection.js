// A socket that comes back. What it missed meanwhile is the business of who uses it: they hold the resume tokens.
//
//   connecting ──▶ live ──▶ lost ──(pause)──▶ connecting …        ended: nothing more is to come

import { Backoff } from './backoff.js';

export class Connection {
  #socket;
  #timer;
  #backoff = new Backoff();
  #closed = false;
  #hooks;

  /**
   * hooks: `address()` gives a promise of the address; `opened()`; `message(object)`; `state(name, reason)`;
   * `isEnd(code)` tells closes after which nothing is to come.
   */
  constructor(hooks) {
    this.#hooks = hooks;
    /** How often it has come back. */
    this.reconnections = -1;
    this.#connect();
    addEventListener('online', this.#hurry);
  }

  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Begins anew, for whoever has found that something is missing. */
  restart() {
    if (this.#socket) this.#socket.onmessage = null;
    this.#socket?.close();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    removeEventListener('online', this.#hurry);
    this.#socket?.close();
  }

  #hurry = () => {
    if (this.#timer) this.#connect();
  };

  async #connect() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#hooks.state('connecting');
    let address;
    try {
      address = await this.#hooks.address();
    } catch (error) {
      return this.#lost(error.message);
    }
    if (this.#closed) return undefined;
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onopen = () => {
      this.#backoff.opened();
      this.reconnections += 1;
      this.#hooks.state('live');
      this.#hooks.opened?.();
    };
    socket.onmessage = ({ data }) => this.#closed || this.#hooks.message(JSON.parse(data));
    socket.onclose = ({ code, reason }) => {
      if (this.#closed) return;
      if (this.#hooks.isEnd?.(code)) this.#hooks.state('ended', reason);
      else this.#lost(reason || `closed with ${code}`);
    };
    return undefined;
  }

  #lost(reason) {
    if (this.#closed) return;
    this.#hooks.state('lost', reason);
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
  }
}
