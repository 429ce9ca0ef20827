// A socket's state in a few words, and the proof that nothing was missed.

import { el, write } from './dom.js';
import { count } from './format.js';

const WORDS = {
  connecting: ['connecting', 'wait'],
  live: ['live', 'good'],
  lost: ['connection lost, resuming by token', 'bad'],
  ended: ['stream complete', 'calm'],
  refused: ['refused', 'bad'],
};

/** Messages about the connection itself; their words are shown until the next message. */
export const ABOUT_ITSELF = new Set(['status', 'fell_behind', 'caught_up', 'shutdown', 'error']);

/** `show(state, { chains, reconnections, note, proof })` repaints it; `proof` in place of what the chains prove. */
export function connectionChip() {
  const state = el('span', { class: 'chip', role: 'status' });
  const proof = el('span', { class: 'faint' });
  const node = el('div', { class: 'connection' }, state, proof);
  const show = (name, { chains = [], reconnections = 0, note = '', proof: told } = {}) => {
    const [words, tone] = WORDS[name];
    state.className = `chip ${tone}`;
    write(state, words);
    const proven = chains.reduce((sum, chain) => sum + chain.proven, 0);
    const gaps = chains.reduce((sum, chain) => sum + chain.gaps, 0);
    const chained = gaps === 0 ? 'chain unbroken' : `${gaps} gaps found and repaired`;
    const resumed = reconnections < 1 ? '' : `, reconnected ${count(reconnections)}×`;
    const seen = told ?? `${count(proven)} live messages, ${chained}`;
    write(proof, `${note && `${note}. `}${seen}${resumed}`);
  };
  return { node, show };
}
