// A market, live: ladder, depth, trades, order entry, own orders.
//
//   /ws ──▶ MarketStream ──▶ LevelBook, tape, own orders ──(at most once per frame)──▶ the screen

import { get, getPatiently } from '../core/api.js';
import { connectionChip } from '../core/chip.js';
import { subtract } from '../core/decimal.js';
import { el, perFrame, shell, write } from '../core/dom.js';
import { count, decimalsOf, price, sentence } from '../core/format.js';
import { token, user } from '../core/identity.js';
import { logAddress } from './log.js';
import { depthChart } from '../market/depth-chart.js';
import { ladder } from '../market/ladder.js';
import { LevelBook } from '../market/level-book.js';
import { MarketStream } from '../market/market-stream.js';
import { orderEntry } from '../market/order-entry.js';
import { OwnOrders, ownOrdersPanel } from '../market/own-orders.js';
import { chosen, inAddress, marketPicker, noMarket } from '../market/picker.js';
import { placeSample } from '../market/sample.js';
import { tradeTape } from '../market/trade-tape.js';

export const title = 'Market';
export const intro =
  'A price-time order book, live. Every change carries a checksum of the book, recomputed here, and every message names the one before it: what you see is what the matcher has, or the page says so.';

const panel = (name, title, ...content) =>
  el('section', { class: `panel at-${name}`, 'aria-label': title }, el('h2', {}, title), content);

function sampleOffer(symbol) {
  const note = el('p', { class: 'note bad', role: 'status' });
  const place = () => placeSample(symbol).catch((error) => write(note, sentence(error)));
  return el(
    'div',
    { class: 'offer', hidden: true },
    el('p', {}, 'Nobody has placed an order in this market yet.'),
    !token() && el('button', { type: 'button', class: 'primary', onclick: place }, 'Place sample orders'),
    note,
  );
}

/** Everything of one market on the screen, and how it is drawn. */
class Desk {
  constructor(market, markets) {
    this.market = market;
    this.decimals = decimalsOf(market.tick_size);
    this.book = new LevelBook();
    this.orders = new OwnOrders();
    this.draw = perFrame(() => this.#paint());
    this.chip = connectionChip();
    this.proof = el('span', {
      class: 'chip',
      title: 'CRC-32 of the best ten levels of each side, computed here and compared with the server’s',
    });
    this.entry = orderEntry(market.symbol, (order) => {
      this.orders.take(order);
      this.draw();
    });
    this.ladder = ladder((at) => this.entry.choose(at));
    this.chart = depthChart();
    this.tape = tradeTape();
    this.own = ownOrdersPanel(this.orders, this.draw);
    this.offer = sampleOffer(market.symbol);
    this.figures = Object.fromEntries(
      ['Last', 'Bid', 'Ask', 'Spread', 'Sequence'].map((name) => [name, el('dd')]),
    );
    this.node = this.#layout(markets);
    this.known = false;
  }

  #layout(markets) {
    const figures = Object.entries(this.figures).map(([name, value]) =>
      el('div', {}, el('dt', {}, name), value),
    );
    const { symbol } = this.market;
    return el(
      'div',
      { class: 'market' },
      el(
        'div',
        { class: 'strip panel' },
        marketPicker(markets, this.market, 'market'),
        el('dl', {}, figures),
        el('div', { class: 'strip-end' }, this.proof, this.chip.node),
      ),
      panel('ladder', 'Order book', this.offer, this.ladder.node),
      el(
        'div',
        { class: 'stack' },
        panel('entry', 'New order', this.entry.node),
        panel('tape', 'Trades', this.tape.node),
      ),
      el(
        'div',
        { class: 'stack' },
        panel('depth', 'Depth', this.chart.node),
        panel('own', 'Your orders', this.own.node),
        panel(
          'shell',
          'The same in a terminal',
          shell(`fillstream book ${symbol}`),
          shell(`nats stream view ORDERS --subject 'markets.${inAddress(symbol)}'`),
          el(
            'p',
            { class: 'faint' },
            el('a', { href: logAddress(`markets.${inAddress(symbol)}`) }, 'Its messages in the log'),
          ),
        ),
      ),
    );
  }

  depth(message) {
    this.known = true;
    const proven = message.type === 'depth_snapshot' ? this.book.replace(message) : this.book.update(message);
    this.position = message.seq;
    this.draw();
    return proven;
  }

  /** What came before cannot be read: what is shown begins with the subscription. */
  refused(error) {
    this.chip.show('live', { note: `Earlier messages are not shown: ${sentence(error)}` });
  }

  /** Whether what is shown is live. */
  show(isLive) {
    this.live = isLive;
    this.node.classList.toggle('stale', !isLive);
    this.draw();
  }

  #paintProof() {
    const { proven, checksum } = this.book;
    this.proof.className = `chip ${!proven ? 'bad' : this.live ? 'good' : ''}`;
    const words = proven ? `book proven, ${checksum}` : `book differs from ${checksum}: read anew`;
    const past = `book as of sequence ${this.position}`;
    write(this.proof, !this.known ? 'book not known yet' : this.live ? words : past);
  }

  #paint() {
    const { book, decimals } = this;
    const [bid, ask] = [book.bids[0]?.[0], book.asks[0]?.[0]];
    const spread = bid && ask ? subtract(ask, bid) : null;
    const last = this.tape.last()?.price;
    this.ladder.draw(book.bids, book.asks, {
      decimals,
      ownPrices: new Set(this.orders.open.map((order) => order.price)),
      middle: spread ? `spread ${price(spread, decimals)}` : this.known ? 'one side is empty' : '',
    });
    this.chart.draw(book.bids, book.asks, decimals);
    this.tape.draw(decimals);
    this.own.draw(decimals);
    this.offer.hidden = !this.known || book.bids.length + book.asks.length > 0 || last !== undefined;
    const shown = {
      Last: price(last, decimals),
      Bid: price(bid, decimals),
      Ask: price(ask, decimals),
      Spread: price(spread, decimals),
      Sequence: this.position ? count(this.position) : '–',
    };
    for (const [name, text] of Object.entries(shown)) write(this.figures[name], text);
    this.#paintProof();
  }
}

/** Reads over HTTP what came before the subscription; what is in both is taken once. */
async function readPast(desk, stream, stopped) {
  const path = `/api/v1/markets/${inAddress(desk.market.symbol)}`;
  if (stream === 'trades') {
    const page = await getPatiently(`${path}/trades?limit=60`, stopped);
    desk.tape.take(page?.trades ?? []);
  }
  if (stream === 'orders') {
    const own = `/api/v1/orders?user_id=${user()}&symbol=${inAddress(desk.market.symbol)}`;
    const wanted = [`${own}&status=OPEN&limit=500`, `${own}&limit=50`];
    const pages = await Promise.all(wanted.map((page) => getPatiently(page, stopped)));
    pages.flatMap((page) => page?.orders ?? []).forEach((order) => desk.orders.take(order));
  }
  desk.draw();
}

/** An order that was placed elsewhere: an update does not tell its type. */
async function completeOrder(desk, { order_id: id }) {
  desk.orders.take(await get(`/api/v1/orders/${id}?user_id=${user()}`));
  desk.draw();
}

function follow(desk, stopped) {
  const read = (stream) => readPast(desk, stream, stopped).catch((error) => desk.refused(error));
  const past = new Set();
  const following = new MarketStream(desk.market.symbol, {
    subscribed: (stream) => past.has(stream) || (past.add(stream), read(stream)),
    reset: (stream) => read(stream),
    depth: (message) => desk.depth(message) || following.restart(),
    trades: (message) => desk.tape.take([message]) && desk.draw(),
    orders: ({ type: _, ...message }) => {
      // Of the message; an order's own type is LIMIT or MARKET.
      desk.orders.take(message);
      if (message.action === 'created') completeOrder(desk, message).catch(() => {});
      desk.draw();
    },
    state: (name, told) => {
      if (desk.live !== (name === 'live')) desk.show(name === 'live');
      desk.chip.show(name, told);
    },
  });
  return following;
}

export function mount(root, named) {
  let stream;
  let desk;
  let gone = false;
  const begin = async () => {
    const answer = await getPatiently('/api/v1/markets', () => gone);
    if (!answer || gone) return;
    const market = chosen(answer.markets, named);
    if (!market) return void root.append(noMarket(answer.markets, named, 'market'));
    desk = new Desk(market, answer.markets);
    root.append(desk.node);
    desk.draw();
    stream = follow(desk, () => gone);
  };
  begin().catch((error) => root.append(el('p', { class: 'panel callout bad' }, sentence(error))));
  const leave = () => {
    gone = true;
    stream?.close();
    desk?.draw.stop();
    desk?.chart.stop();
  };
  return { leave };
}
