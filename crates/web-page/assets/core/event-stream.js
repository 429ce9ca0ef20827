// Server-sent events that come back where they were lost. Not EventSource: that does not tell why it was refused.
//
//   connecting ──▶ live ──▶ lost ──(pause)──▶ connecting …        refused: it would be so again

import { isOpen, openStream } from './api.js';
import { Backoff } from './backoff.js';

/** One event of a stream: its fields by name; lines of data are joined. */
function parse(block) {
  const event = { event: 'message', data: [] };
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === 'data') event.data.push(value);
    else event[field] = value;
  }
  return { ...event, data: event.data.join('\n') };
}

export class EventStream {
  #path;
  #hooks;
  #abort = new AbortController();
  #backoff = new Backoff();
  #timer;
  #last;
  /** How often it has come back. */
  reconnections = -1;

  /** hooks: `event(kind, object)`; `state(name, reason)`; `refused(error)`. */
  constructor(path, hooks) {
    this.#path = path;
    this.#hooks = hooks;
    addEventListener('online', this.#hurry);
    this.#connect();
  }

  close() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    removeEventListener('online', this.#hurry);
  }

  #hurry = () => {
    if (this.#timer) this.#connect();
  };

  async #connect() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { signal } = this.#abort;
    this.#hooks.state('connecting');
    try {
      const headers = { Accept: 'text/event-stream', ...(this.#last && { 'Last-Event-ID': this.#last }) };
      const { body } = await openStream(this.#path, { headers, signal });
      this.#backoff.opened();
      this.reconnections += 1;
      this.#hooks.state('live');
      await this.#read(body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (!signal.aborted && error.status && !isOpen(error)) {
        this.close();
        this.#hooks.state('refused');
        this.#hooks.refused(error);
      }
    }
    if (signal.aborted) return;
    this.#hooks.state('lost');
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  /** Until the stream breaks. What is not complete by then is told again by the next one. */
  async #read(reader) {
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (text + value).split('\n\n');
      text = blocks.pop();
      blocks.forEach((block) => this.#take(parse(block)));
    }
  }

  #take({ event, data, id }) {
    // A comment keeps the connection alive and says nothing.
    if (this.#abort.signal.aborted || !data) return;
    this.#hooks.event(event, JSON.parse(data));
    if (id) this.#last = id;
  }
}
