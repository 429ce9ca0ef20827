// The page: which view is shown, who uses it, how the server is.
//
//   #/swap/ORDER   #/market/BTC-USDT   #/travel/BTC-USDT   #/log/orders.swap.%3E   #/state

import { getPatiently } from './core/api.js';
import { el, write } from './core/dom.js';
import { count, short, time } from './core/format.js';
import { onChange, user } from './core/identity.js';
import { openIdentity } from './core/identity-dialog.js';
import { onServer, watchServer } from './core/server.js';
import { themeButton } from './core/theme.js';
import * as log from './views/log.js';
import * as market from './views/market.js';
import * as state from './views/state.js';
import * as swap from './views/swap.js';
import * as travel from './views/travel.js';

const VIEWS = { swap, market, travel, log, state };
const byId = (id) => document.getElementById(id);
let shown = { leave: () => {} };

function show() {
  const [, named, parameter] = location.hash.split('/');
  const name = Object.hasOwn(VIEWS, named) ? named : 'swap';
  const wanted = parameter && decodeURIComponent(parameter);
  if (shown.name === name && shown.go) return shown.go(wanted);
  shown.leave();
  const isFirst = !shown.name;
  const root = byId('view');
  root.replaceChildren();
  for (const link of byId('nav').children) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  root.append(
    el('h1', { class: 'unseen' }, VIEWS[name].title),
    el('p', { class: 'intro' }, VIEWS[name].intro),
  );
  document.title = `${VIEWS[name].title} · fillstream`;
  shown = { name, ...VIEWS[name].mount(root, wanted) };
  // At the beginning the keyboard comes in from the top, past the way around the navigation.
  if (!isFirst) root.focus({ preventScroll: true });
  return undefined;
}

function showServer({ reachable, since, ready }) {
  const chip = byId('server');
  const isReady = reachable && ready?.status === 'ready';
  chip.className = `chip ${isReady ? 'good' : 'bad'}`;
  write(chip, reachable ? (isReady ? `ready at ${count(ready.last_seq)}` : 'not ready') : 'unreachable');
  const lost = byId('lost');
  lost.hidden = reachable;
  if (!reachable) {
    const words = `The server has not answered since ${time(since).slice(0, 8)}. The page keeps trying, and resumes where it was: what happens meanwhile is told afterwards.`;
    write(lost, words);
  }
}

/** A browser does not tell why a socket was refused; a request does. */
async function askWho() {
  const own = `/api/v1/orders?limit=1&user_id=${user()}`;
  const status = await getPatiently(own, () => false).then(
    () => 200,
    (error) => error.status,
  );
  byId('asks').hidden = ![401, 403].includes(status);
}

const showIdentity = () => {
  write(byId('identity'), `you ${short(user())}`);
  byId('identity').setAttribute('aria-label', `You are user ${user()}. Change`);
};

byId('nav').append(
  ...Object.entries(VIEWS).map(([name, { title }]) =>
    el('a', { href: `#/${name}`, 'data-view': name }, title),
  ),
);
byId('identity').addEventListener('click', openIdentity);
themeButton(byId('theme'));
onChange(() => {
  showIdentity();
  askWho();
  shown.leave();
  shown = { leave: () => {} };
  show();
});
onServer(showServer);
addEventListener('hashchange', show);
showIdentity();
show();
askWho();
watchServer();
