// Entry of orders of all types. The server judges; what it refuses stands beside the field.

import { call, isOpen } from '../core/api.js';
import { isPositive, multiply } from '../core/decimal.js';
import { el, say, write } from '../core/dom.js';
import { price as shownPrice, sentence } from '../core/format.js';
import { newUuid, user } from '../core/identity.js';

const IN_FORCE = {
  LIMIT: [
    ['GTC', 'until cancelled'],
    ['IOC', 'at once, the rest is cancelled'],
    ['FOK', 'all at once or nothing'],
    ['GTD', 'until a time'],
  ],
  MARKET: [
    ['IOC', 'at once, the rest is cancelled'],
    ['FOK', 'all at once or nothing'],
  ],
};
const PREVENTION = [
  ['NONE', 'allowed'],
  ['CANCEL_NEWEST', 'cancel the newer'],
  ['CANCEL_OLDEST', 'cancel the older'],
  ['CANCEL_BOTH', 'cancel both'],
];

const options = (pairs) => pairs.map(([value, words]) => el('option', { value }, `${value} – ${words}`));

const radios = (name, values, legend) =>
  el(
    'fieldset',
    { class: `segments ${name}` },
    el('legend', { class: 'unseen' }, legend),
    values.map(([value, words], at) =>
      el('label', {}, el('input', { type: 'radio', name, value, checked: at === 0 }), el('span', {}, words)),
    ),
  );

const field = (name, label, input) =>
  el(
    'div',
    { class: 'field', 'data-of': name },
    el('label', { for: `entry-${name}` }, label),
    input,
    el('p', { class: 'fault', id: `entry-${name}-fault` }),
  );

const input = (name, more = {}) =>
  el('input', {
    id: `entry-${name}`,
    name,
    inputmode: 'decimal',
    autocomplete: 'off',
    'aria-describedby': `entry-${name}-fault`,
    ...more,
  });

function layout(symbol) {
  const [base, quote] = symbol.split('/');
  return el(
    'form',
    { class: 'entry', novalidate: true, 'aria-label': 'New order' },
    radios(
      'side',
      [
        ['BUY', 'Buy'],
        ['SELL', 'Sell'],
      ],
      'Side',
    ),
    radios(
      'type',
      [
        ['LIMIT', 'Limit'],
        ['MARKET', 'Market'],
      ],
      'Type',
    ),
    el(
      'div',
      { class: 'pair' },
      field('quantity', `Quantity, ${base}`, input('quantity', { value: '1' })),
      field('price', `Price, ${quote}`, input('price')),
    ),
    field(
      'time_in_force',
      'In force',
      el('select', { id: 'entry-time_in_force', name: 'time_in_force' }, options(IN_FORCE.LIMIT)),
    ),
    field('expires_at', 'Expires in, seconds', input('expires_at', { value: '60' })),
    field(
      'self_trade_prevention',
      'Against own orders',
      el('select', { id: 'entry-self_trade_prevention', name: 'self_trade_prevention' }, options(PREVENTION)),
    ),
    el(
      'label',
      { class: 'check', 'data-of': 'post_only' },
      el('input', { type: 'checkbox', name: 'post_only' }),
      'Post only: never takes',
    ),
    el('button', { class: 'primary wide' }),
    el('p', { class: 'note', role: 'status' }),
  );
}

/** What the form says, as the contract wants it: only fields that apply. */
function read(form, symbol) {
  const at = (name) => form.elements[name].value.trim();
  const order = {
    user_id: user(),
    symbol,
    side: at('side'),
    type: at('type'),
    quantity: at('quantity'),
    time_in_force: at('time_in_force'),
  };
  if (order.type === 'LIMIT') order.price = at('price');
  if (order.time_in_force === 'GTD')
    order.expires_at = new Date(Date.now() + Number(at('expires_at')) * 1000).toISOString();
  if (at('self_trade_prevention') !== 'NONE') order.self_trade_prevention = at('self_trade_prevention');
  if (form.elements.post_only.checked && !form.elements.post_only.disabled) order.post_only = true;
  return order;
}

export function orderEntry(symbol, placed) {
  const form = layout(symbol);
  const [base, quote] = symbol.split('/');
  const [button, note] = [form.querySelector('button'), form.querySelector('.note')];
  // A repetition of the same order after a lost answer must not be a second order.
  let unanswered;

  const adapt = () => {
    const { elements } = form;
    const limit = elements.type.value === 'LIMIT';
    const chosen = elements.time_in_force.value;
    const allowed = IN_FORCE[elements.type.value];
    if (elements.time_in_force.length !== allowed.length)
      elements.time_in_force.replaceChildren(...options(allowed));
    if (allowed.some(([name]) => name === chosen)) elements.time_in_force.value = chosen;
    const inForce = elements.time_in_force.value;
    elements.post_only.disabled = !limit || !['GTC', 'GTD'].includes(inForce);
    form.querySelector('[data-of=price]').hidden = !limit;
    form.querySelector('[data-of=expires_at]').hidden = inForce !== 'GTD';
    const buying = elements.side.value === 'BUY';
    button.className = `primary wide ${buying ? 'buy' : 'sell'}`;
    const [quantity, price] = [elements.quantity.value.trim(), elements.price.value.trim()];
    const worth =
      limit && isPositive(quantity) && isPositive(price)
        ? ` for ${shownPrice(multiply(quantity, price))} ${quote}`
        : '';
    write(button, `${buying ? 'Buy' : 'Sell'} ${quantity} ${base}${worth}`);
  };
  const show = (error) => {
    for (const fault of form.querySelectorAll('.fault')) {
      const name = fault.parentElement.dataset.of;
      const found = error?.fields?.find(({ pointer }) => pointer === `/${name}`);
      write(fault, found?.detail ?? '');
      form.elements[name].setAttribute('aria-invalid', String(Boolean(found)));
    }
    note.className = error ? 'note bad' : 'note';
    write(note, error ? sentence(error) : '');
  };
  const send = async (event) => {
    event.preventDefault();
    const order = read(form, symbol);
    const terms = JSON.stringify({ ...order, expires_at: undefined });
    if (unanswered?.terms !== terms) unanswered = { terms, order: { ...order, client_order_id: newUuid() } };
    button.disabled = true;
    show();
    try {
      const { body } = await call('POST', '/api/v1/orders', { body: unanswered.order });
      unanswered = undefined;
      write(note, `Accepted, sequence ${body.seq}.`);
      say('The order is accepted');
      placed(body);
    } catch (error) {
      if (!isOpen(error)) unanswered = undefined;
      show(isOpen(error) ? new Error(`${sentence(error)} Sent again, it stays one order.`) : error);
    } finally {
      button.disabled = false;
    }
  };
  form.addEventListener('input', ({ target }) => {
    const fault = form.querySelector(`#${target.id}-fault`);
    if (fault?.textContent) show();
    adapt();
  });
  form.addEventListener('submit', send);
  adapt();
  const choose = (price) => {
    form.elements.price.value = price;
    adapt();
    form.elements.price.focus();
  };
  return { node: form, choose };
}
