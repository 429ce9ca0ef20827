// How the process is: its parts, what an acknowledgement is worth, connections, rates.

import { axis, chart, linear } from '../core/chart.js';
import { el, heads, shell, write } from '../core/dom.js';
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
  api: 'takes orders',
  executor: 'executes swaps',
  projector: 'writes rows for reading',
  bridge: 'feeds the sockets',
  matcher: 'matches orders in price-time priority',
};
/** What the pictures of the rates show, at most and when there is little to show. */
const SHOWN_SECONDS = 120;
const LEAST_SECONDS = 20;

const fact = (name, value, remark) =>
  el(
    'div',
    { class: 'fact' },
    el('dt', {}, name),
    el('dd', {}, value),
    remark && el('dd', { class: 'remark' }, remark),
  );

const links = (paths) => paths.map((path) => [el('a', { href: path }, path), ' ']).flat();

const mark = (good, yes, no) => el('span', { class: `chip ${good ? 'good' : 'bad'}` }, good ? yes : no);

function partRows(parts) {
  return Object.entries(parts).flatMap(([role, part]) => {
    const why = part.reason ?? part.store_full;
    if (!part.markets)
      return [partRow(role, ROLES[role], part.position, part.lag_seconds, partMark(part), why)];
    const markets = Object.entries(part.markets);
    const market = ([symbol, { loaded, position, lag_seconds, leading, reason }]) =>
      partRow(
        `matcher ${symbol}`,
        leading ? 'leads' : 'stands by',
        position,
        lag_seconds,
        mark(loaded, 'at work', 'loading'),
        reason,
      );
    return markets.length
      ? [
          ...markets.map(market),
          ...(part.reason ? [partRow(role, ROLES[role], undefined, undefined, partMark(part), part.reason)] : []),
        ]
      : [partRow(role, ROLES[role], undefined, undefined, mark(false, '', 'no market found yet'))];
  });
}

const partMark = (part) =>
  part.store_full ? mark(false, '', 'full') : mark(part.caught_up, 'caught up', 'not ready');

const partRow = (name, does, position, lag, state, why) =>
  el(
    'tr',
    {},
    el('th', { scope: 'row' }, name),
    el('td', { class: 'faint' }, does ?? ''),
    el('td', { class: 'number' }, position === undefined || position === null ? '–' : count(position)),
    el('td', { class: 'number' }, lag === undefined || lag === null ? '–' : `${lag.toFixed(1)} s`),
    el('td', {}, state, why && el('span', { class: 'remark' }, ` ${why}`)),
  );

/** Differences per second between two looks; none at the first. */
const perSecond = (looks, read) =>
  looks.map((look, at) => {
    if (at === 0) return null;
    const seconds = (look.at - looks[at - 1].at) / 1000;
    // A process that was started again counts from 0.
    return Math.max(0, read(look) - read(looks[at - 1])) / seconds;
  });

/** A rate over the last two minutes; `draw(looks)` repaints. */
function rate(name, read) {
  const picture = chart(120, (ink) => ({
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, oldest) => [Math.min(oldest, -LEAST_SECONDS), 0] },
      y: { range: (_, __, most) => [0, (most || 1) * 1.1] },
    },
    axes: [
      axis(ink, { grid: { show: false }, size: 26, values: (_, at) => at.map((seconds) => `${seconds} s`) }),
      axis(ink, { size: 44, space: 30 }),
    ],
    series: [
      {},
      {
        stroke: () => ink('accent'),
        width: 1.5,
        paths: linear(),
        points: { show: false },
      },
    ],
  }));
  const now = el('dd');
  const node = el('div', { class: 'fact' }, el('dt', {}, name), now, el('dd', {}, picture.node));
  const draw = (looks) => {
    const rates = perSecond(looks, read);
    const latest = (rates.at(-1) ?? 0).toFixed(1);
    now.replaceChildren(latest, el('span', { class: 'remark' }, ' per second'));
    const last = looks.at(-1).at;
    const most = Math.max(0, ...rates).toFixed(1);
    picture.draw(
      [looks.map(({ at }) => (at - last) / 1000), rates],
      `${name}: ${latest} per second now, at most ${most} in the last two minutes`,
    );
  };
  return { node, draw, stop: picture.stop };
}

export function mount(root) {
  const looks = [];
  const status = el('p', { class: 'callout', role: 'status' });
  const [parts, facts] = [el('tbody'), el('dl', { class: 'facts' })];
  const rates = [
    rate('Messages into the stream', ({ ready }) => ready.last_seq),
    rate('Messages out to sockets', ({ health }) => health.websocket.messages_sent),
  ];
  root.append(
    el(
      'div',
      { class: 'state' },
      status,
      el('section', { class: 'panel' }, el('h2', {}, 'Process'), facts),
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Rates'),
        el(
          'dl',
          { class: 'facts' },
          rates.map(({ node }) => node),
        ),
      ),
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Parts'),
        el(
          'div',
          { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Parts' },
          el(
            'table',
            { class: 'parts' },
            heads(['Part', 'What it does', { number: 'Position' }, { number: 'Lag' }, 'State']),
            parts,
          ),
        ),
      ),
      el(
        'section',
        { class: 'panel' },
        el('h2', {}, 'Elsewhere'),
        el('p', {}, 'For programs: ', links(['/docs', '/openapi.json', '/asyncapi.json', '/schemas'])),
        el('p', {}, 'For monitoring: ', links(['/ready', '/health', '/metrics'])),
        shell('fillstream doctor'),
        shell('fillstream verify'),
        shell('nats stream info ORDERS'),
      ),
    ),
  );
  const forget = onServer((server) => {
    const { reachable, ready, health } = server;
    status.className = `callout ${reachable && ready.status === 'ready' ? 'good' : 'bad'}`;
    const trouble = ready?.cannot_append ?? ready?.store_full;
    const caughtUp =
      ready?.status === 'ready'
        ? `Ready: the stream takes appends and every part has caught up.${trouble ? ` New orders are refused: ${trouble}` : ''}`
        : `Not ready: the stream is ${ready?.stream ?? 'not known'}.${trouble ? ` ${trouble}` : ''}`;
    write(
      status,
      reachable ? caughtUp : 'The server cannot be reached; what stands below is the last that it said.',
    );
    if (!reachable || !ready?.parts || !health?.websocket) return;
    looks.push(server);
    while (server.at - looks[0].at > SHOWN_SECONDS * 1000) looks.shift();
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
    rates.forEach(({ draw }) => draw(looks));
  });
  const leave = () => {
    forget();
    rates.forEach(({ stop }) => stop());
  };
  return { leave };
}
