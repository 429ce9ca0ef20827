// The server is killed while three pages are open. Each says so, comes back by itself and has missed nothing.

import { assert, browse, get, picture, place, says, until } from './browser.mjs';

const LOST = /connection lost, resuming/;

/** The positions of the order's events, the first one first. */
const positions = async (page) => (await page.locator('.life .events .seq').allInnerTexts()).reverse();

await browse(/Failed to load resource|WebSocket connection|ERR_/, async (open) => {
  const market = await open('#/market/BTC-USDT');
  await market.getByText('Sell', { exact: true }).click();
  await market.getByLabel('Price, USDT').fill('90');
  await market.getByRole('button', { name: /^Sell 1 BTC/ }).click();
  await says(market.locator('.at-own'), '0 / 1');
  const log = await open('#/log');
  const swap = await open('#/swap');
  await swap.getByRole('button', { name: 'Place the swap' }).click();
  await says(swap.locator('.life .stages .current'), 'submitted');
  const first = swap.url().split('/').at(-1);

  console.log('kill');
  for (const page of [swap, market, log]) await says(page.locator('.connection'), LOST);
  await says(swap.locator('#lost'), 'The server has not answered since');
  await picture(swap, 'connection-lost');
  // Whoever places an order now gets one order, later.
  await swap.getByLabel('Amount').fill('3');
  await swap.getByRole('button', { name: 'Place the swap' }).click();
  await says(swap.locator('form .note'), 'Sent again with the same key');
  console.log('restart');

  await says(swap.locator('.life h2'), '3 SOL → USDC');
  await says(swap.locator('.life .callout'), 'Confirmed: ');
  await until('the banner is gone', () => swap.locator('#lost').isHidden());
  await swap.goto(`${swap.url().split('#')[0]}#/swap/${first}`);
  await says(swap.locator('.life h2'), '10 SOL → USDC');
  await says(swap.locator('.life .callout'), 'Confirmed: ');
  const { logs } = await get(`/api/orders/${first}/logs`);
  assert.deepEqual(
    await positions(swap),
    logs.map(({ seq, index }) => `${seq}.${index}`),
  );

  const somebody = '01990000-0000-7000-8000-000000000002';
  await place({ user_id: somebody, symbol: 'BTC/USDT', side: 'BUY', price: '90', quantity: '0.4' });
  await says(market.locator('.at-own'), '0.4 / 1');
  await says(market.locator('.at-tape'), /90\.00\s+0\.4\s+sold/);
  await says(market.locator('.strip-end'), /book proven, \d+\s+live\s[^]*chain unbroken, reconnected [1-9]/);

  const { last_seq: last } = await get('/ready');
  await says(log.locator('.messages .seq'), String(last));
  const shown = (await log.locator('.messages .seq').allInnerTexts()).map(Number);
  assert.deepEqual(
    shown,
    shown.map((_, at) => shown[0] - at),
    'a message is missing, or there twice',
  );
  const subjects = await log.locator('.messages .subject').allInnerTexts();
  const placed = subjects.filter((subject) => /^orders\.swap\..*\.placed$/.test(subject));
  assert.equal(placed.length, 2, 'one order for each that was placed, however often it was sent');
  await says(log.locator('.connection'), /reconnected [1-9]/);
});
