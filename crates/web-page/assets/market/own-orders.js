// The user's orders in a market: open ones with amend and cancel, and the latest that have ended.

import { call } from '../core/api.js';
import { el, heads, say, write } from '../core/dom.js';
import { price, sentence, short, time } from '../core/format.js';
import { user } from '../core/identity.js';

/** Ended orders that are shown. */
const ENDED_SHOWN = 15;

const path = (order) => `/api/v1/orders/${order.order_id}?user_id=${user()}`;

/** The orders by id; of two tellings of one order the later in the stream counts. */
export class OwnOrders {
  #orders = new Map();
  /** Grows with each change. */
  version = 0;

  take(order) {
    this.version += 1;
    const known = this.#orders.get(order.order_id);
    const newer =
      !known ||
      order.seq > known.seq ||
      (order.seq === known.seq && (order.index ?? 0) >= (known.index ?? 0));
    const [under, over] = newer ? [known, order] : [order, known];
    this.#orders.set(order.order_id, {
      ...under,
      ...over,
      created_at: known?.created_at ?? order.created_at ?? order.timestamp,
    });
  }

  get open() {
    return this.#sorted(({ status }) => status === 'OPEN');
  }

  get ended() {
    return this.#sorted(({ status }) => status !== 'OPEN').slice(0, ENDED_SHOWN);
  }

  #sorted(wanted) {
    return [...this.#orders.values()].filter(wanted).sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }
}

const cells = (order, decimals) => [
  el('td', {}, time(order.created_at).slice(0, 8)),
  el('td', { class: order.side === 'BUY' ? 'up' : 'down' }, order.side),
  el(
    'td',
    { class: 'faint' },
    [order.type, order.time_in_force, order.post_only && 'post only'].filter(Boolean).join(' '),
  ),
  el('td', { class: 'number' }, price(order.price, decimals)),
  el('td', { class: 'number' }, `${price(order.filled_quantity)} / ${price(order.quantity)}`),
];

/** The fields of an amend, in place of the order's row. */
function amendRow(order, act, done) {
  const [quantity, limit] = [
    ['quantity', order.quantity],
    ['price', order.price],
  ].map(([name, value]) =>
    el('input', { 'aria-label': `New ${name}`, value, inputmode: 'decimal', size: 9 }),
  );
  const send = () => act(order, 'PATCH', { quantity: quantity.value.trim(), price: limit.value.trim() });
  const keys = (event) => (event.key === 'Enter' ? send() : event.key === 'Escape' && done());
  return el(
    'tr',
    { class: 'amending', 'data-order': order.order_id, onkeydown: keys },
    el(
      'td',
      { colspan: 6 },
      el(
        'div',
        { class: 'inline' },
        el('span', {}, `Amend ${order.side} to`),
        quantity,
        el('span', {}, 'at'),
        limit,
        el('button', { type: 'button', class: 'primary', onclick: send }, 'Amend'),
        el('button', { type: 'button', class: 'quiet', onclick: done }, 'Leave'),
      ),
    ),
  );
}

/** `draw(decimals)` repaints; what the matcher answers goes into `orders` and is told by `changed()`. */
export function ownOrdersPanel(orders, changed) {
  let amending = '';
  let drawn = '';
  let decimals = 2;
  const note = el('p', { class: 'note', role: 'status' });
  const [open, ended] = [el('tbody'), el('tbody')];
  const none = el('p', { class: 'faint' }, 'You have no open order in this market.');
  const table = (body, label) =>
    el(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
      el(
        'table',
        {},
        heads(['Time', 'Side', 'Type', { number: 'Price' }, { number: 'Filled / total' }, '']),
        body,
      ),
    );
  const past = el('details', {}, el('summary', {}, 'Ended orders'), table(ended, 'Ended orders'));
  const node = el('div', {}, table(open, 'Open orders'), none, note, past);

  /** Draws the rows; the focus stays on the same button of the same order. */
  const fill = (body, rows) => {
    const held = body.contains(document.activeElement) && document.activeElement.getAttribute('data-key');
    body.replaceChildren(...rows);
    if (held) body.querySelector(`[data-key="${held}"]`)?.focus();
  };
  const act = async (order, method, body) => {
    note.className = 'note';
    write(note, 'Waiting for the matcher…');
    try {
      const answer = await call(method, path(order), { body });
      if (answer.status === 202)
        write(note, 'Stored; the matcher has not answered yet, its answer arrives on the stream.');
      else {
        orders.take(answer.body);
        write(
          note,
          `${method === 'DELETE' ? 'Cancelled' : 'Amended'}: ${short(order.order_id)}, sequence ${answer.body.seq}.`,
        );
      }
      amending = '';
      say(note.textContent);
    } catch (error) {
      note.className = 'note bad';
      write(
        note,
        [sentence(error), ...(error.fields ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`)].join(
          ' ',
        ),
      );
    }
    changed();
  };
  const openRow = (order) => {
    const name = `${order.side} ${order.quantity} at ${order.price}`;
    if (amending === order.order_id)
      return amendRow(order, act, () => {
        amending = '';
        changed();
      });
    const begin = () => {
      amending = order.order_id;
      changed();
      open.querySelector('.amending input')?.focus();
    };
    return el(
      'tr',
      {},
      cells(order, decimals),
      el(
        'td',
        { class: 'acts' },
        el(
          'button',
          {
            type: 'button',
            class: 'tiny',
            onclick: begin,
            'data-key': `amend ${order.order_id}`,
            'aria-label': `Amend ${name}`,
          },
          'amend',
        ),
        el(
          'button',
          {
            type: 'button',
            class: 'tiny',
            onclick: () => act(order, 'DELETE'),
            'data-key': `cancel ${order.order_id}`,
            'aria-label': `Cancel ${name}`,
          },
          'cancel',
        ),
      ),
    );
  };
  const draw = (precision) => {
    const now = `${orders.version} ${amending}`;
    if (now === drawn) return;
    drawn = now;
    decimals = precision;
    // Whoever is typing into a row keeps it; it is drawn anew when the amend is done.
    if (!(
      amending &&
      open.querySelector('.amending')?.dataset.order === amending &&
      orders.open.some(({ order_id: id }) => id === amending)
    )) {
      fill(open, orders.open.map(openRow));
    }
    none.hidden = orders.open.length > 0;
    past.hidden = orders.ended.length === 0;
    ended.replaceChildren(
      ...orders.ended.map((order) =>
        el('tr', {}, cells(order, decimals), el('td', { class: 'faint' }, order.status.toLowerCase())),
      ),
    );
  };
  return { node, draw };
}
