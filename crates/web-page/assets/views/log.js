// The stream itself: every message with its subject and its payload, as it is stored.
//
//   /api/log ──▶ EventStream ──▶ the list ──(at most once per frame, unless paused)──▶ the screen

import { connectionChip } from '../core/chip.js';
import { el, perFrame, say, shell, write } from '../core/dom.js';
import { EventStream } from '../core/event-stream.js';
import { count, sentence } from '../core/format.js';
import { messageList } from '../log/messages.js';

export const title = 'Log';
export const intro =
  'Everything that happens is a message in one stream, and this is that stream, live. Orders, what became of them, every trade: the other views are computed from nothing else.';

const EVERYTHING = '>';
const SUBJECTS = [
  ['Everything', EVERYTHING],
  ['Swaps', 'orders.swap.>'],
  ['Book orders', 'orders.book.>'],
  ['Markets', 'markets.>'],
  ['Parked', 'parked.>'],
];
/** Events about the connection, not of the stream. */
const ABOUT_ITSELF = new Set(['status', 'shutdown', 'reset']);

/** The address of the view for a subject. */
export const logAddress = (subject) => `#/log/${encodeURIComponent(subject)}`;

/** One subject, followed from its newest messages on. */
class Following {
  #told;
  #received = 0;
  #newest;
  #paused = false;
  #unseen = 0;
  #state = 'connecting';
  #note = '';

  constructor(subject, told) {
    this.#told = told;
    this.list = messageList();
    this.draw = perFrame(() => this.#paint());
    const path = `/api/log?subject=${encodeURIComponent(subject)}`;
    this.stream = new EventStream(path, {
      event: (kind, message) => this.#take(kind, message),
      state: (name) => {
        this.#state = name;
        this.draw();
      },
      refused: (error) => told.refused(error),
    });
  }

  pause(paused) {
    this.#paused = paused;
    this.draw();
  }

  stop() {
    this.stream.close();
    this.draw.stop();
  }

  #take(kind, message) {
    this.#note = ABOUT_ITSELF.has(kind) ? message.message : '';
    if (kind === 'reset') this.#forget();
    // What came again, after a connection that broke between a message and its number, is here already.
    else if (kind === 'message_stored' && !(message.seq <= this.#newest)) {
      this.#newest = message.seq;
      this.#received += 1;
      this.#unseen += Number(this.#paused);
      this.list.take(message);
    }
    this.draw();
  }

  /** The stream is another one. */
  #forget() {
    this.list.clear();
    this.#newest = undefined;
    this.#received = 0;
    this.#unseen = 0;
  }

  #paint() {
    if (!this.#paused) {
      this.#unseen = 0;
      this.list.draw();
    }
    const received = `${count(this.#received)} messages, each once, in the order of the stream`;
    const hidden = this.#received > this.list.kept ? `; the newest ${this.list.kept} are kept here` : '';
    this.#told.state(this.#state, {
      reconnections: this.stream.reconnections,
      note: this.#note,
      proof: received + hidden,
    });
    this.#told.unseen(this.#unseen);
  }
}

function commands(subject) {
  // Whoever made the address chose the subject: in a shell it stays one word.
  const word = `'${subject.replaceAll("'", "'\\''")}'`;
  const address = `${location.origin}/api/log?subject=${encodeURIComponent(subject)}`;
  return [
    shell(`nats sub ${word} --stream ORDERS --last`),
    shell(`nats stream view ORDERS --subject ${word}`),
    shell(`curl -N -H 'Accept: text/event-stream' "${address}"`),
  ];
}

export function mount(root, first) {
  const chip = connectionChip();
  const fault = el('p', { class: 'fault', id: 'subject-fault', role: 'status' });
  const input = el('input', {
    id: 'subject',
    spellcheck: 'false',
    autocomplete: 'off',
    autocapitalize: 'none',
    'aria-describedby': 'subject-fault',
  });
  const pause = el('button', { type: 'button', class: 'primary', 'aria-pressed': 'false' }, 'Pause');
  const quick = SUBJECTS.map(([name, subject]) => el('a', { href: logAddress(subject) }, name));
  const [messages, terminal] = [el('div'), el('div')];
  let following;

  const told = {
    state: chip.show,
    unseen: (unseen) => {
      const paused = pause.getAttribute('aria-pressed') === 'true';
      write(pause, paused ? `Resume, ${count(unseen)} waiting` : 'Pause');
    },
    refused: (error) => {
      const here = error.fields.map(({ detail }) => detail);
      write(fault, [sentence(error), ...here].join(' '));
      input.setAttribute('aria-invalid', String(error.fields.length > 0));
    },
  };
  const setPaused = (paused) => {
    pause.setAttribute('aria-pressed', String(paused));
    following.pause(paused);
  };
  pause.addEventListener('click', () => {
    const paused = pause.getAttribute('aria-pressed') !== 'true';
    setPaused(paused);
    say(paused ? 'Paused' : 'Live');
  });
  const go = (wanted) => {
    const subject = wanted || EVERYTHING;
    following?.stop();
    input.value = subject;
    input.removeAttribute('aria-invalid');
    write(fault, '');
    for (const link of quick) {
      if (link.hash === logAddress(subject)) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    }
    terminal.replaceChildren(...commands(subject));
    following = new Following(subject, told);
    messages.replaceChildren(following.list.node);
    setPaused(false);
  };
  const send = (event) => {
    event.preventDefault();
    const subject = input.value.trim() || EVERYTHING;
    if (location.hash === logAddress(subject)) go(subject);
    else location.hash = logAddress(subject);
  };
  root.append(
    el(
      'div',
      { class: 'log' },
      el(
        'section',
        { class: 'panel strip', 'aria-label': 'Filter' },
        el(
          'form',
          { class: 'inline filter', onsubmit: send },
          el('label', { for: 'subject' }, 'Subject'),
          input,
          el('button', { class: 'quiet' }, 'Show'),
          pause,
        ),
        el('nav', { class: 'inline subjects', 'aria-label': 'Kinds of messages' }, quick),
        el('div', { class: 'strip-end' }, chip.node),
        fault,
      ),
      el('section', { class: 'panel', 'aria-label': 'Messages' }, el('h2', {}, 'Messages'), messages),
      el(
        'section',
        { class: 'panel', 'aria-label': 'The same in a terminal' },
        el('h2', {}, 'The same in a terminal'),
        terminal,
        el(
          'p',
          { class: 'faint' },
          'In a subject * stands for one word, > for all that follow. The number of a message here, in a resume token and in the nats CLI is the same.',
        ),
      ),
    ),
  );
  go(first);
  return { leave: () => following.stop(), go };
}
