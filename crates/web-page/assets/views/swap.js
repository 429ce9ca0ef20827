// A swap: the form, both venues' quotes, and the life of the order that is watched.

import { getPatiently } from '../core/api.js';
import { connectionChip } from '../core/chip.js';
import { copyButton, el, shell } from '../core/dom.js';
import { price, sentence } from '../core/format.js';
import { swapForm } from '../swap/form.js';
import { logAddress } from './log.js';
import { life } from '../swap/life.js';
import { OrderStream } from '../swap/order-stream.js';
import { quotes } from '../swap/quotes.js';
import { recentList, recentSwaps, remember } from '../swap/recent.js';

export const title = 'Swap';

export const intro =
  'A swap is quoted by two venues, signed, submitted and confirmed. Each step is an event in one stream, and what you see is that stream. Kill the server in the middle and start it again: the order goes on, to exactly one execution.';

/** What an event tells about the order, on top of what is known. Each attempt asks for quotes anew. */
function learn(order, message) {
  if (message.type === 'routing' && message.progress < 30) {
    Object.assign(order, { raydiumQuote: null, meteoraQuote: null, selectedDex: null, answered: false });
  }
  if (message.progress >= 30 || message.type === 'retrying' || message.type === 'failed') order.answered = true;
  if (message.status !== 'failed') order.reached = message.status;
  if (message.type !== 'retrying' && message.type !== 'failed') order.furthest = message.progress;
  Object.assign(order, message);
}

function watch(order, page) {
  const { orderId, amount, tokenIn, tokenOut } = order;
  const shown = { orderId, amount, tokenIn, tokenOut };
  const story = life();
  const chip = connectionChip();
  const stream = new OrderStream(orderId, {
    entry: (message) => {
      learn(shown, message);
      story.took(shown, message);
      page.quotes.replaceChildren(quotes(shown));
    },
    cleared: () => story.clear(),
    state: chip.show,
  });
  page.life.replaceChildren(
    el('div', { class: 'headline' }, el('h2', {}, `${price(amount)} ${tokenIn} → ${tokenOut}`), chip.node),
    el('p', { class: 'id' }, orderId, copyButton(orderId, 'Copy the order id')),
    story.node,
    el('h3', {}, 'The same in a terminal'),
    shell(`fillstream watch ${orderId}`),
    shell(`nats stream view ORDERS --subject 'orders.swap.${orderId}.*'`),
    el(
      'p',
      { class: 'faint' },
      el('a', { href: logAddress(`orders.swap.${orderId}.*`) }, 'Its messages in the log'),
    ),
  );
  return stream;
}

export function mount(root, first) {
  const page = {
    quotes: el('div', { class: 'at-quotes' }),
    life: el('section', { class: 'panel life', 'aria-label': 'The order' }),
  };
  const recent = el('div', { class: 'at-recent' });
  let stream;
  let watched;
  const leave = () => {
    watched = undefined;
    stream?.close();
  };
  const go = async (orderId) => {
    const wanted = orderId || recentSwaps()[0]?.orderId;
    recent.replaceChildren(recentList(wanted));
    if (!wanted || wanted === watched) return;
    leave();
    watched = wanted;
    try {
      const order = await getPatiently(`/api/orders/${encodeURIComponent(wanted)}`, () => watched !== wanted);
      if (order && watched === wanted) stream = watch(order, page);
    } catch (error) {
      // Orders that this browser remembers may be another server's.
      if (!orderId) return;
      const named = error.fields?.[0]?.detail;
      const words =
        error.status === 404
          ? 'There is no such order on this server.'
          : named
            ? `The order's id ${named}.`
            : sentence(error);
      page.quotes.replaceChildren(quotes({}));
      page.life.replaceChildren(
        el('h2', {}, 'This order cannot be shown'),
        el('p', { class: 'callout bad' }, words),
      );
    }
  };
  const form = swapForm((placed, terms) => {
    remember(placed, terms);
    location.hash = `#/swap/${placed}`;
  });
  page.quotes.append(quotes({}));
  page.life.append(
    el('h2', {}, 'No order yet'),
    el('p', { class: 'faint' }, 'Place a swap: its life appears here, event by event.'),
  );
  root.append(
    el(
      'div',
      { class: 'swap' },
      el('div', { class: 'column' }, form, recent),
      el('div', { class: 'column' }, page.quotes, page.life),
    ),
  );
  go(first);
  return { leave, go };
}
