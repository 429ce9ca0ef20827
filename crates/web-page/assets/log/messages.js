// The messages of the stream, the latest first. What is under a message is written when it is opened.

import { el } from '../core/dom.js';
import { span, time } from '../core/format.js';

/** Messages that are kept on the page: more than one reads, few enough to stay quick. */
const KEPT = 300;
/** Characters of a payload in its line: wider than any screen. */
const IN_LINE = 240;

const isText = (payload) => typeof payload === 'string';

/** What the payload calls itself, and in a line its other fields, but for what the subject says already. */
function headline({ payload, subject, encoding = 'text' }) {
  if (isText(payload)) return [encoding, payload];
  const { type = '', version: _, ...fields } = payload ?? {};
  const said = subject.split('.');
  const more = Object.entries(fields).filter(([, value]) => !said.includes(value));
  return [type, JSON.stringify(Object.fromEntries(more))];
}

function content({ payload, headers }) {
  const fields = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\n`);
  return [
    el('pre', {}, isText(payload) ? payload : JSON.stringify(payload, null, 2)),
    fields.length > 0 && el('h3', {}, 'Headers'),
    fields.length > 0 && el('pre', {}, fields),
  ].filter(Boolean);
}

function row(message, before) {
  const { seq, subject, stored_at: at } = message;
  const since = before ? `+${span(Math.max(0, new Date(at) - new Date(before.stored_at)))}` : '';
  const [type, fields] = headline(message);
  const details = el(
    'details',
    {
      ontoggle: () => {
        if (details.open && details.childElementCount === 1) details.append(...content(message));
      },
    },
    el(
      'summary',
      { tabindex: -1 },
      el('span', { class: 'seq' }, String(seq)),
      el('time', { datetime: at }, time(at)),
      el('span', { class: 'since' }, since),
      el('span', { class: 'subject' }, subject),
      el('span', { class: 'tag' }, type),
      el('code', { class: 'what' }, fields.slice(0, IN_LINE)),
    ),
  );
  return el('li', {}, details);
}

/** The list is one stop of the Tab key, the arrows go on from it: its messages are no 300 stops. */
function walk(event) {
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!by) return;
  const rows = [...event.currentTarget.querySelectorAll('summary')];
  const next = rows[rows.indexOf(document.activeElement) + by];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** `take(message)` keeps one; `draw()` shows those that came since the last time; `clear()` forgets all. */
export function messageList() {
  const list = el('ol', {
    class: 'events messages',
    tabindex: 0,
    'aria-label': 'Messages, the latest first; the arrow keys go through them',
    onkeydown: walk,
  });
  let waiting = [];
  let before;
  const take = (message) => {
    waiting.push([message, before]);
    before = message;
    // Those that would fall off the list at once are not drawn at all.
    if (waiting.length > 2 * KEPT) waiting = waiting.slice(-KEPT);
  };
  const draw = () => {
    if (waiting.length === 0) return;
    const rows = waiting.slice(-KEPT).map(([message, former]) => row(message, former));
    waiting = [];
    list.prepend(...rows.reverse());
    while (list.childElementCount > KEPT) list.lastElementChild.remove();
  };
  const clear = () => {
    waiting = [];
    before = undefined;
    list.replaceChildren();
  };
  return { node: list, take, draw, clear, kept: KEPT };
}
