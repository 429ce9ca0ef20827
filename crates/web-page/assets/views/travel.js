// Time travel: the stream keeps every step, so every book that ever was can be drawn again.

import { get, getPatiently } from '../core/api.js';
import { subtract } from '../core/decimal.js';
import { el, say, shell, write } from '../core/dom.js';
import { count, decimalsOf, price, sentence } from '../core/format.js';
import { onServer } from '../core/server.js';
import { checksum } from '../market/checksum.js';
import { depthChart } from '../market/depth-chart.js';
import { ladder } from '../market/ladder.js';
import { PastTrades } from '../market/past-trades.js';
import { chosen, inAddress, marketPicker, noMarket } from '../market/picker.js';
import { tradeTape } from '../market/trade-tape.js';

export const title = 'Time travel';
export const intro =
  'The stream keeps every input, so every book that ever was can be computed again. Move to any sequence; what changed since the position before is marked.';

/** Levels that are asked for: enough for the chart. */
const DEPTH = 60;
/** Time between two steps while it plays. */
const PLAY_MS = 350;

/** Prices whose quantity is another one than in the book that was drawn before. */
function changes(former, book) {
  if (!former) return new Set();
  const before = new Map([...former.bids, ...former.asks]);
  const now = [...book.bids, ...book.asks];
  return new Set(now.filter(([at, quantity]) => before.get(at) !== quantity).map(([at]) => at));
}

class Journey {
  #at;
  #asked;
  #drawn;
  #playing;

  constructor(market, markets, newest) {
    this.market = market;
    this.decimals = decimalsOf(market.tick_size);
    this.newest = newest;
    this.#at = newest;
    this.past = new PastTrades(market.symbol);
    this.ladder = ladder();
    this.chart = depthChart();
    this.trades = el('div');
    this.told = el('p', { class: 'callout' });
    this.proof = el('span', { class: 'chip' });
    this.command = el('div');
    this.slider = el('input', {
      type: 'range',
      min: 0,
      max: newest,
      value: newest,
      'aria-label': 'Sequence of the stream',
      oninput: () => this.go(Number(this.slider.value)),
    });
    this.number = el('input', {
      class: 'position',
      inputmode: 'numeric',
      value: newest,
      'aria-label': 'Go to sequence',
      onchange: () => this.go(Number(this.number.value) || 0),
    });
    this.play = el('button', { type: 'button', class: 'primary', onclick: () => this.#toggle() }, 'Play');
    this.end = el('span', { class: 'faint' });
    this.node = this.#layout(markets);
    this.reach(newest);
    this.go(newest);
  }

  #layout(markets) {
    const step = (label, words, by) =>
      el(
        'button',
        { type: 'button', class: 'quiet', 'aria-label': words, onclick: () => this.go(by()) },
        label,
      );
    const tradeBefore = () => this.past.trades.find(({ seq }) => seq < this.#at)?.seq ?? this.#at;
    const tradeAfter = () => this.past.trades.findLast(({ seq }) => seq > this.#at)?.seq ?? this.#at;
    return el(
      'div',
      { class: 'travel' },
      el(
        'section',
        { class: 'panel strip', 'aria-label': 'Position' },
        marketPicker(markets, this.market, 'travel'),
        el(
          'div',
          { class: 'inline steps' },
          step('⇤', 'To the beginning', () => 0),
          step('◀ trade', 'To the trade before', tradeBefore),
          step('−1', 'One sequence back', () => this.#at - 1),
          this.play,
          step('+1', 'One sequence on', () => this.#at + 1),
          step('trade ▶', 'To the next trade', tradeAfter),
          step('⇥', 'To the end', () => this.newest),
        ),
        el(
          'div',
          { class: 'inline' },
          el('span', { class: 'faint' }, 'sequence'),
          this.number,
          this.end,
          this.proof,
        ),
        this.slider,
      ),
      this.told,
      el(
        'section',
        { class: 'panel at-ladder', 'aria-label': 'Order book' },
        el('h2', {}, 'The book as it was'),
        this.ladder.node,
      ),
      el(
        'section',
        { class: 'panel at-depth', 'aria-label': 'Depth' },
        el('h2', {}, 'Depth'),
        this.chart.node,
        el('h3', {}, 'The same in a terminal'),
        this.command,
      ),
      el(
        'section',
        { class: 'panel at-tape', 'aria-label': 'Trades' },
        el('h2', {}, 'Trades up to here'),
        this.trades,
      ),
    );
  }

  /** The stream has grown. */
  reach(newest) {
    this.newest = Math.max(newest, this.newest);
    this.slider.max = this.newest;
    write(this.end, `of ${count(this.newest)}`);
  }

  stop() {
    this.#asked?.abort();
    clearInterval(this.#playing);
    this.chart.stop();
  }

  #toggle() {
    if (this.#playing) {
      clearInterval(this.#playing);
      this.#playing = undefined;
    } else {
      if (this.#at >= this.newest) this.go(0);
      this.#playing = setInterval(
        () => (this.#at < this.newest ? this.go(this.#at + 1) : this.#toggle()),
        PLAY_MS,
      );
    }
    write(this.play, this.#playing ? 'Pause' : 'Play');
  }

  /** To a position; only the latest wish is carried out. */
  async go(wanted) {
    this.#at = Math.min(Math.max(wanted, 0), this.newest);
    this.slider.value = this.#at;
    this.number.value = this.#at;
    this.slider.setAttribute('aria-valuetext', `sequence ${this.#at} of ${this.newest}`);
    this.#asked?.abort();
    const { signal } = (this.#asked = new AbortController());
    try {
      const path = `/api/v1/markets/${inAddress(this.market.symbol)}/book?at=${this.#at}&depth=${DEPTH}`;
      const [book, trades] = await Promise.all([get(path, { signal }), this.past.upTo(this.#at, signal)]);
      if (!signal.aborted) this.#draw(book, trades);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.told.className = 'callout bad';
      write(this.told, sentence(error));
    }
  }

  #draw(book, trades) {
    const { decimals } = this;
    const [bid, ask] = [book.bids[0]?.[0], book.asks[0]?.[0]];
    const changed = changes(this.#drawn, book);
    this.#drawn = book;
    const middle = bid && ask ? `spread ${price(subtract(ask, bid), decimals)}` : 'one side is empty';
    this.ladder.draw(book.bids, book.asks, { decimals, changed, middle });
    this.chart.draw(book.bids, book.asks, decimals);
    const tape = tradeTape();
    tape.take(trades);
    tape.draw(decimals);
    this.trades.replaceChildren(tape.node);
    const proven = checksum(book.bids, book.asks) === book.checksum;
    this.proof.className = `chip ${proven ? 'good' : 'bad'}`;
    write(this.proof, proven ? `book proven, ${book.checksum}` : `differs from ${book.checksum}`);
    const here = trades.filter(({ seq }) => seq === this.#at);
    this.told.className = 'callout calm';
    const traded = here.length
      ? ` ${here.length} ${here.length === 1 ? 'trade' : 'trades'} at this very sequence.`
      : '';
    write(
      this.told,
      `The book of ${this.market.symbol} after sequence ${count(this.#at)}: bid ${price(bid, decimals)}, ask ${price(ask, decimals)}.${traded}`,
    );
    say(this.told.textContent);
    this.command.replaceChildren(shell(`fillstream book ${this.market.symbol} --at ${this.#at}`));
  }
}

export function mount(root, named) {
  let journey;
  let gone = false;
  let stop = () => {};
  const begin = async () => {
    const [answer, ready] = await Promise.all([
      getPatiently('/api/v1/markets', () => gone),
      getPatiently('/ready', () => gone),
    ]);
    if (!answer || !ready || gone) return;
    const market = chosen(answer.markets, named);
    if (!market) return void root.append(noMarket(answer.markets, named, 'travel'));
    // What the server says of itself may be a second old; the book is not older than what was told.
    const book = await getPatiently(`/api/v1/markets/${inAddress(market.symbol)}/book?depth=1`, () => gone);
    if (!book || gone) return;
    journey = new Journey(market, answer.markets, Math.max(ready.last_seq, book.seq));
    root.append(journey.node);
    stop = onServer(({ ready: now }) => now?.last_seq && journey.reach(now.last_seq));
  };
  begin().catch((error) => root.append(el('p', { class: 'panel callout bad' }, sentence(error))));
  const leave = () => {
    gone = true;
    stop();
    journey?.stop();
  };
  return { leave };
}
