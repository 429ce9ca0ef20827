// An order's life: where it stands, its attempts, and every event as it came.

import { el, say, write } from '../core/dom.js';
import { price, span, time } from '../core/format.js';

const STAGES = ['pending', 'routing', 'building', 'submitted', 'confirmed'];
const TONES = { confirmed: 'good', failed: 'bad', retrying: 'warn' };

/** Sequence, time since the former, what it is; the payload unfolds. */
function row(message, former) {
  const since = former ? `+${span(new Date(message.timestamp) - new Date(former.timestamp))}` : '';
  const summary = el(
    'summary',
    {},
    el(
      'span',
      { class: 'seq', title: 'Sequence in the stream and index of the message' },
      `${message.seq}.${message.index}`,
    ),
    el('time', { datetime: message.timestamp }, time(message.timestamp)),
    el('span', { class: 'since' }, since),
    el('span', { class: `tag ${TONES[message.type] ?? ''}` }, message.type),
    el('span', { class: 'what' }, message.message),
  );
  return el('li', {}, el('details', {}, summary, el('pre', {}, JSON.stringify(message, null, 2))));
}

function stages(order) {
  const reached = STAGES.indexOf(order.status === 'failed' ? order.reached : order.status);
  return STAGES.map((stage, place) => {
    const current = place === reached;
    const failed = current && order.status === 'failed';
    const done = place < reached || (current && stage === 'confirmed');
    const state = failed ? 'failed' : done ? 'done' : current ? 'current' : '';
    return el('li', { class: state, 'aria-current': current && 'step' }, stage);
  });
}

function outcome(order) {
  if (order.needsReview) {
    return [
      'warn',
      'Nobody can tell whether the transaction was executed. It stays submitted until an operator decides.',
    ];
  }
  if (order.status === 'failed') {
    return [
      'bad',
      `Failed in attempt ${order.attempt ?? 1} of ${order.maxAttempts ?? 3}: ${order.failureReason ?? order.error}`,
    ];
  }
  if (order.status === 'confirmed') {
    const got = `${price(order.amountOut)} ${order.tokenOut} at ${price(order.executedPrice)} on ${order.dexUsed}`;
    return ['good', `Confirmed: ${got}. Transaction ${order.txHash}`];
  }
  if (order.type === 'retrying') {
    const next = `The next attempt begins in ${span(order.delayMs)}.`;
    return ['warn', `Attempt ${order.attempt} of ${order.maxAttempts} failed: ${order.error}. ${next}`];
  }
  return ['', ''];
}

/** `took(order, message)` adds an event and repaints; `clear()` forgets the events. */
export function life() {
  let former;
  const steps = el('ol', { class: 'stages', 'aria-label': 'Stages' });
  const fill = el('div', { class: 'fill' });
  const bar = el(
    'div',
    { class: 'bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-label': 'Progress' },
    fill,
  );
  const attempt = el('span', { class: 'faint' });
  const told = el('p', { class: 'callout' });
  const events = el('ol', { class: 'events', 'aria-label': 'Events' });
  const node = el('div', {}, steps, bar, attempt, told, events);

  const repaint = (order) => {
    steps.replaceChildren(...stages(order));
    const tone =
      order.status === 'failed'
        ? 'bad'
        : order.type === 'retrying'
          ? 'warn'
          : order.status === 'confirmed'
            ? 'good'
            : '';
    bar.className = `bar ${tone}`;
    bar.setAttribute('aria-valuenow', order.progress ?? 0);
    bar.setAttribute('aria-valuetext', `${order.status}, ${order.progress ?? 0} percent`);
    // A failure keeps the length that it reached, in its own colour: it did not un-happen.
    fill.style.width = `${order.status === 'failed' ? order.furthest : (order.progress ?? 0)}%`;
    write(
      attempt,
      order.attempt
        ? `attempt ${order.attempt} of ${order.maxAttempts ?? 3} · progress ${order.progress} %`
        : '',
    );
    const [kind, words] = outcome(order);
    told.className = `callout ${kind}`;
    write(told, words);
  };
  const took = (order, message) => {
    events.prepend(row(message, former));
    former = message;
    repaint(order);
    say(message.message);
  };
  const clear = () => {
    former = undefined;
    events.replaceChildren();
  };
  return { node, took, clear };
}
