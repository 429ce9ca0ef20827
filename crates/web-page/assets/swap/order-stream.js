// The life of one swap order, from its progress socket: history first, then what happens, each message once.

import { Chain } from '../core/chain.js';
import { socketAddress } from '../core/api.js';
import { ABOUT_ITSELF } from '../core/chip.js';
import { Connection } from '../core/connection.js';

const LIVE = new Set(['pending', 'routing', 'building', 'submitted', 'retrying', 'confirmed', 'failed']);
const ENDED = new Set(['confirmed', 'failed']);
/** The server closes with it after the last message. */
const NORMAL = 1000;

/** hooks: `entry(message)` for each message of the order, `state(name, { chains, reconnections, note })`, `cleared()`. */
export class OrderStream {
  #chain = new Chain();
  #connection;
  #hooks;
  #ended = false;
  #state = 'connecting';

  constructor(orderId, hooks) {
    this.#hooks = hooks;
    this.#connection = new Connection({
      address: () => socketAddress(`/api/orders/status/${orderId}`, { after: this.#chain.token }),
      message: (message) => this.#take(message),
      state: (name) => this.#tell(name),
      isEnd: (code) => code === NORMAL && this.#ended,
    });
  }

  close() {
    this.#connection.close();
  }

  #tell(name = this.#state, note = '') {
    this.#state = name;
    this.#hooks.state(name, {
      chains: [this.#chain],
      reconnections: this.#connection?.reconnections ?? 0,
      note,
    });
  }

  #take(message) {
    if (message.type === 'reset') {
      this.#hooks.cleared();
      this.#chain.begin(message);
    } else if (message.type === 'backfill') {
      message.logs.forEach((entry) => this.#entry(entry));
      this.#chain.begin(message);
    } else if (LIVE.has(message.type) && !message.replayed) {
      if (!this.#chain.follow(message)) return this.#connection.restart();
      this.#entry(message);
    }
    return this.#tell(this.#state, ABOUT_ITSELF.has(message.type) ? message.message : '');
  }

  #entry(message) {
    this.#ended ||= ENDED.has(message.type);
    this.#hooks.entry(message);
  }
}
