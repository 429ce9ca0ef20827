// A socket's state in a few words, and the proof that nothing was missed.

import { el, write } from './dom.js';
import { count } from './format.js';

const WORDS = {
  connecting: ['connecting', 'wait'],
  live: ['live', 'good'],
  lost: ['connection lost, resuming by token', 'bad'],
  ended: ['stream complete', 'calm'],
};

/** Messages about the connection itself; their words are shown until the next message. */
export const ABOUT_ITSELF = new Set(['status', 'fell_behind', 'caught_up', 'shutdown', 'error']);

/** `show(state, { chains, reconnections, note })` repaints it. */
export function connectionChip() {
  const state = el('span', { class: 'chip', role: 'status' });
  const proof = el('span', { class: 'faint' });
  const node = el('div', { class: 'connection' }, state, proof);
  const show = (name, { chains = [], reconnections = 0, note = '' } = {}) => {
    const [words, tone] = WORDS[name];
    state.className = `chip ${tone}`;
    write(state, words);
    const proven = chains.reduce((sum, chain) => sum + chain.proven, 0);
    const gaps = chains.reduce((sum, chain) => sum + chain.gaps, 0);
    const chained = gaps === 0 ? 'chain unbroken' : `${gaps} gaps found and repaired`;
    const resumed = reconnections < 1 ? '' : `, reconnected ${count(reconnections)}×`;
    write(proof, `${note && `${note}. `}${count(proven)} live messages, ${chained}${resumed}`);
  };
  return { node, show };
}
