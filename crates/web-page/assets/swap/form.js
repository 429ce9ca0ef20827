// The form of a swap, and the orders that cannot be lost by a lost answer: a repetition carries the same key.

import { call, isOpen } from '../core/api.js';
import { el, say, write } from '../core/dom.js';
import { sentence } from '../core/format.js';
import { newUuid } from '../core/identity.js';

const TOKENS = ['SOL', 'USDC', 'USDT', 'BTC', 'ETH', 'DUST', 'RUSH'];
const SAMPLES = [
  ['SOL', 'USDC', '10', 'A swap that succeeds'],
  ['DUST', 'USDC', '10', 'One that finds no liquidity'],
  ['RUSH', 'USDC', '10', 'One whose price slips: 3 attempts'],
];
/** Pause before an order without an answer is sent again. */
const RETRY_MS = 1000;

const tokenSelect = (id, chosen) =>
  el(
    'select',
    { id },
    TOKENS.map((token) => el('option', { value: token, selected: token === chosen }, token)),
  );

const field = (id, label, input) =>
  el(
    'div',
    { class: 'field' },
    el('label', { for: id }, label),
    input,
    el('p', { class: 'fault', id: `${id}-fault` }),
  );

/** Places until there is an answer; the key makes it one order, however often it arrives. */
async function place(order, waiting) {
  for (;;) {
    try {
      return (await call('POST', '/api/orders/execute', { body: order })).body;
    } catch (error) {
      if (!isOpen(error)) throw error;
      waiting();
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
  }
}

/** `placed(orderId)` is called with each new order; the node is the form. */
export function swapForm(placed) {
  const inputs = {
    tokenIn: tokenSelect('tokenIn', 'SOL'),
    tokenOut: tokenSelect('tokenOut', 'USDC'),
    amount: el('input', {
      id: 'amount',
      inputmode: 'decimal',
      autocomplete: 'off',
      value: '10',
      required: true,
    }),
    slippage: el('input', {
      id: 'slippage',
      inputmode: 'decimal',
      autocomplete: 'off',
      value: '0.5',
      required: true,
    }),
  };
  const note = el('p', { class: 'note', role: 'status' });
  const submit = el('button', { class: 'primary wide' }, 'Place the swap');
  const turn = el('button', { type: 'button', class: 'turn', 'aria-label': 'Exchange the two tokens' }, '⇄');
  turn.addEventListener('click', () => {
    [inputs.tokenIn.value, inputs.tokenOut.value] = [inputs.tokenOut.value, inputs.tokenIn.value];
  });
  const show = (error) => {
    for (const [name, input] of Object.entries(inputs)) {
      const fault = error?.fields?.find(({ pointer }) => pointer === `/${name}`);
      input.setAttribute('aria-invalid', String(Boolean(fault)));
      input.setAttribute('aria-describedby', `${name}-fault`);
      write(form.querySelector(`#${name}-fault`), fault?.detail ?? '');
    }
    note.className = error ? 'note bad' : 'note';
    write(note, error ? sentence(error) : '');
  };
  const send = async (event) => {
    event.preventDefault();
    const terms = Object.fromEntries(
      Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]),
    );
    submit.disabled = true;
    show();
    try {
      const order = await place({ ...terms, clientOrderId: newUuid() }, () =>
        write(note, 'No answer yet. Sent again with the same key, so that it becomes one order.'),
      );
      write(note, `Stored as sequence ${order.seq} of the stream.`);
      say('The order is placed');
      placed(order.orderId, terms);
    } catch (error) {
      show(error);
    } finally {
      submit.disabled = false;
    }
  };
  const samples = SAMPLES.map(([tokenIn, tokenOut, amount, label]) => {
    const fill = () =>
      Object.assign(inputs.tokenIn, { value: tokenIn }) &&
      Object.assign(inputs.tokenOut, { value: tokenOut }) &&
      Object.assign(inputs.amount, { value: amount });
    return el(
      'button',
      {
        type: 'button',
        class: 'quiet',
        onclick: () => {
          fill();
          form.requestSubmit();
        },
      },
      label,
    );
  });
  const form = el(
    'form',
    { class: 'panel', onsubmit: send, novalidate: true },
    el('h2', {}, 'New swap'),
    el(
      'div',
      { class: 'pair' },
      field('tokenIn', 'You pay', inputs.tokenIn),
      turn,
      field('tokenOut', 'You receive', inputs.tokenOut),
    ),
    el(
      'div',
      { class: 'pair' },
      field('amount', 'Amount', inputs.amount),
      field('slippage', 'Slippage, at most %', inputs.slippage),
    ),
    submit,
    note,
    el('div', { class: 'samples' }, el('span', { class: 'faint' }, 'Or try:'), samples),
  );
  return form;
}
