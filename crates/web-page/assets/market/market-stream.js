// One socket for a market: its depth, its trades and the user's own orders.
//
//   orders, trades   resumed by token: what was missed follows, nothing twice
//   depth            begins with the whole book each time

import { Chain } from '../core/chain.js';
import { socketAddress } from '../core/api.js';
import { ABOUT_ITSELF } from '../core/chip.js';
import { Connection } from '../core/connection.js';
import { user } from '../core/identity.js';

const STREAM_OF = {
  order_update: 'orders',
  trade_executed: 'trades',
  depth_update: 'depth',
  depth_snapshot: 'depth',
};

/**
 * hooks: `subscribed(stream)` once what follows is complete from there; `orders(message)`, `trades(message)`,
 * `depth(message)`; `reset(stream)` when what was missed is to be read over HTTP; `state(name, { chains, reconnections, note })`.
 */
export class MarketStream {
  chains = { orders: new Chain(), trades: new Chain(), depth: new Chain() };
  #symbol;
  #hooks;
  #connection;
  #state = 'connecting';

  constructor(symbol, hooks) {
    this.#symbol = symbol;
    this.#hooks = hooks;
    this.#connection = new Connection({
      address: () => socketAddress('/ws', { user_id: user() }),
      opened: () => this.#subscribe(),
      message: (message) => this.#take(message),
      state: (name) => this.#tell(name),
    });
  }

  close() {
    this.#connection.close();
  }

  /** Begins anew: something does not fit. */
  restart() {
    this.#connection.restart();
  }

  #subscribe() {
    for (const stream of Object.keys(this.chains)) {
      const after = stream === 'depth' ? undefined : this.chains[stream].token || undefined;
      this.#connection.send({ action: 'subscribe', stream, symbol: this.#symbol, after });
    }
  }

  #tell(name = this.#state, note = '') {
    this.#state = name;
    const reconnections = this.#connection?.reconnections ?? 0;
    this.#hooks.state(name, { chains: Object.values(this.chains), reconnections, note });
  }

  #take(message) {
    const stream = message.stream ?? STREAM_OF[message.type];
    const chain = this.chains[stream];
    if (message.type === 'subscribed') {
      if (chain.position === null || stream === 'depth') chain.begin(message);
      this.#hooks.subscribed(stream);
    } else if (message.type === 'reset') {
      chain.begin(message);
      this.#hooks.reset(stream);
    } else if (message.snapshot) {
      chain.begin(message);
      this.#hooks.depth(message);
    } else if (STREAM_OF[message.type]) {
      if (!chain.follow(message)) return this.restart();
      this.#hooks[stream](message);
    }
    return this.#tell(this.#state, ABOUT_ITSELF.has(message.type) ? message.message : '');
  }
}
