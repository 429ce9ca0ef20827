// How the process is: its parts, what an acknowledgement is worth, connections, rates.

import { el, heads, shell, svg, write } from '../core/dom.js';
import { count, span } from '../core/format.js';
import { onServer } from '../core/server.js';

export const title = 'State';
export const intro =
  'How far each part has followed the stream, what an acknowledgement is worth, and how much flows.';

const DURABILITY = {
  fsync: 'An acknowledgement means: synced to disk. It survives a power failure.',
  'os-buffer':
    'An acknowledgement means: in the operating system’s buffers. It survives the process, not a power failure.',
};
const ROLES = {
  projector: 'writes rows for reading',
  bridge: 'feeds the sockets',
  matcher: 'matches orders in price-time priority',
};
/** Looks that the rate's picture holds: two minutes. */
const LOOKS = 60;

const fact = (name, value, remark) =>
  el(
    'div',
    { class: 'fact' },
    el('dt', {}, name),
    el('dd', {}, value),
    remark && el('dd', { class: 'remark' }, remark),
  );

const mark = (good, yes, no) => el('span', { class: `chip ${good ? 'good' : 'bad'}` }, good ? yes : no);

function partRows(parts) {
  return Object.entries(parts).flatMap(([role, part]) => {
    if (!part.markets)
      return [
        partRow(role, ROLES[role], part.position, part.behind, mark(part.caught_up, 'caught up', 'behind')),
      ];
    const markets = Object.entries(part.markets);
    const market = ([symbol, { loaded, position, pending, leading }]) =>
      partRow(
        `matcher ${symbol}`,
        leading ? 'leads' : 'stands by',
        position,
        pending,
        mark(loaded, 'at work', 'loading'),
      );
    return markets.length
      ? markets.map(market)
      : [partRow(role, ROLES[role], undefined, undefined, mark(false, '', 'no market found yet'))];
  });
}

const partRow = (name, does, position, behind, state) =>
  el(
    'tr',
    {},
    el('th', { scope: 'row' }, name),
    el('td', { class: 'faint' }, does ?? ''),
    el('td', { class: 'number' }, position === undefined ? '–' : count(position)),
    el('td', { class: 'number' }, behind === undefined ? '–' : count(behind)),
    el('td', {}, state),
  );

/** Differences per second between two looks. */
function rate(looks, read) {
  const rates = [];
  for (let at = 1; at < looks.length; at += 1) {
    const seconds = (looks[at].at - looks[at - 1].at) / 1000;
    // A process that was started again counts from 0.
    rates.push(Math.max(0, read(looks[at]) - read(looks[at - 1])) / seconds);
  }
  return rates;
}

function line(rates) {
  const most = Math.max(1, ...rates);
  const points = rates
    .map((value, at) => `${240 - ((rates.length - 1 - at) * 240) / (LOOKS - 2)},${38 - (value / most) * 34}`)
    .join(' ');
  return svg(
    'svg',
    { viewBox: '0 0 240 40', preserveAspectRatio: 'none', class: 'spark', 'aria-hidden': 'true' },
    svg('polyline', { points }),
  );
}

const rateFact = (name, rates) =>
  el(
    'div',
    { class: 'fact' },
    el('dt', {}, name),
    el('dd', {}, (rates.at(-1) ?? 0).toFixed(1), el('span', { class: 'remark' }, ' per second'), line(rates)),
  );

export function mount(root) {
  const looks = [];
  const status = el('p', { class: 'callout', role: 'status' });
  const [parts, facts, rates] = [el('tbody'), el('dl', { class: 'facts' }), el('dl', { class: 'facts' })];
  root.append(
    el(
      'div',
      { class: 'state' },
      status,
      el('section', { class: 'panel' }, el('h2', {}, 'Process'), facts),
      el('section', { class: 'panel' }, el('h2', {}, 'Rates'), rates),
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Parts'),
        el(
          'div',
          { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Parts' },
          el(
            'table',
            {},
            heads(['Part', 'What it does', { number: 'Position' }, { number: 'Behind' }, 'State']),
            parts,
          ),
        ),
      ),
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Elsewhere'),
        el(
          'p',
          {},
          el('a', { href: '/ready' }, '/ready'),
          ' ',
          el('a', { href: '/health' }, '/health'),
          ' ',
          el('a', { href: '/metrics' }, '/metrics'),
          ' (Prometheus)',
        ),
        shell('fillstream verify'),
        shell('nats stream info ORDERS'),
      ),
    ),
  );
  const leave = onServer((server) => {
    const { reachable, ready, health } = server;
    status.className = `callout ${reachable && ready.status === 'ready' ? 'good' : 'bad'}`;
    const caughtUp =
      ready?.status === 'ready'
        ? 'Ready: the stream is reachable and every part has caught up.'
        : `Not ready: the stream is ${ready?.stream ?? 'not known'}.`;
    write(
      status,
      reachable ? caughtUp : 'The server cannot be reached; what stands below is the last that it said.',
    );
    if (!reachable || !ready?.parts || !health?.websocket) return;
    looks.push(server);
    if (looks.length > LOOKS) looks.shift();
    parts.replaceChildren(...partRows(ready.parts));
    facts.replaceChildren(
      fact('Durability', health.durability, DURABILITY[health.durability]),
      fact('Stream', `sequence ${count(ready.last_seq ?? 0)}`, health.stream),
      fact(
        'Connections',
        count(health.websocket.connections),
        `${count(health.websocket.subscriptions)} subscriptions`,
      ),
      fact('Up for', span(health.uptime_seconds * 1000), `version ${health.version}`),
      fact('Roles', String(health.roles.length), health.roles.join(', ')),
    );
    rates.replaceChildren(
      rateFact(
        'Messages into the stream',
        rate(looks, ({ ready: { last_seq: last } }) => last),
      ),
      rateFact(
        'Messages out to sockets',
        rate(looks, ({ health: { websocket } }) => websocket.messages_sent),
      ),
    );
  });
  return { leave };
}
