// How the server is: asked for again and again, shown in the header on every view.

import { get } from './api.js';

/** Often enough to notice an outage while one looks, rarely enough to cost nothing. */
const PERIOD_MS = 2000;
const listeners = new Set();
let last = { reachable: undefined, since: Date.now() };

async function ask(path) {
  try {
    return await get(path);
  } catch (error) {
    // 503 of /ready is an answer, too.
    return error.status ? error.body : undefined;
  }
}

async function look() {
  if (!document.hidden) {
    const [ready, health] = await Promise.all([ask('/ready'), ask('/health')]);
    const reachable = ready !== undefined && health !== undefined;
    const since = reachable === last.reachable ? last.since : Date.now();
    last = {
      reachable,
      since,
      at: performance.now(),
      ready: ready ?? last.ready,
      health: health ?? last.health,
    };
    listeners.forEach((tell) => tell(last));
  }
  setTimeout(look, PERIOD_MS);
}

export const watchServer = () => {
  look();
};

/** Tells now, if anything is known, and then after each look; returns how to stop. */
export function onServer(tell) {
  listeners.add(tell);
  if (last.reachable !== undefined) tell(last);
  return () => listeners.delete(tell);
}
