// Every view, wide and narrow, light and dark: nothing sticks out, nothing is without a name or hard to read.

import { readFileSync } from 'node:fs';
import { assert, browse, need, picture, place, says, until } from './browser.mjs';

const AXE = readFileSync(need.resolve('axe-core/axe.min.js'), 'utf8');
const WIDE = { width: 1360, height: 820 };
const NARROW = { width: 375, height: 780 };
const MAKER = '01990000-0000-7000-8000-00000000000a';
const symbol = 'ETH/USDT';

/** Rules of the checker: all of them, and the one that colours can break. */
const ALL = { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] };
const COLOURS = { type: 'rule', values: ['color-contrast'] };

/** What no reader should meet: a page wider than the screen, and whatever the checker knows. */
async function examine(page, name, runOnly = ALL) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px wider than the screen`);
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(AXE);
  const found = await page.evaluate(async (rules) => {
    const options = { runOnly: rules, resultTypes: ['violations'], iframes: false, preload: false };
    const { violations } = await globalThis.axe.run(document, options);
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    );
  }, runOnly);
  assert.deepEqual(found, [], name);
}

/** A view in all its looks. */
async function looks(page, name, settled = async () => {}) {
  for (const [look, viewport, colorScheme, rules] of [
    ['', WIDE, 'light', ALL],
    ['-dark', WIDE, 'dark', COLOURS],
    ['-narrow', NARROW, 'light', ALL],
  ]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await settled(look);
    await picture(page, name + look);
    await examine(page, name + look, rules);
  }
  await page.setViewportSize(WIDE);
  await page.emulateMedia({ colorScheme: 'light' });
}

/** The first stops of the Tab key are the way into the page. */
async function keyboard(page) {
  const stops = [];
  for (let stop = 0; stop < 3; stop += 1) {
    await page.keyboard.press('Tab');
    stops.push(await page.evaluate(() => document.activeElement.textContent));
  }
  assert.deepEqual(stops, ['To the content', 'fillstream', 'Swap']);
}

async function market(page) {
  await page.goto(page.url().replace(/#.*/, '#/market/ETH-USDT'));
  await page.getByRole('button', { name: 'Place sample orders' }).click();
  await says(page.locator('.at-tape'), '3,300.83');
  const me = await page.evaluate(() => localStorage.getItem('fillstream.user'));
  for (const [side, price, quantity] of [
    ['BUY', '3299.5', '1.2'],
    ['SELL', '3302.1', '2'],
    ['BUY', '3297', '0.8'],
  ])
    await place({ user_id: me, symbol, side, price, quantity });
  for (let trade = 0; trade < 12; trade += 1)
    await place({
      user_id: MAKER,
      symbol,
      side: trade % 3 ? 'SELL' : 'BUY',
      quantity: `0.0${((trade * 7) % 9) + 1}`,
    });
  await until('own orders and trades are shown', async () => {
    const mine = await page.getByRole('region', { name: 'Open orders' }).locator('tbody tr').count();
    return mine === 3 && (await page.locator('.tape tbody tr').count()) >= 15;
  });
  await says(page.locator('.strip'), 'book proven');
  await looks(page, 'market');
}

async function travel(page) {
  await page.goto(page.url().replace(/#.*/, '#/travel/ETH-USDT'));
  for (let trade = 0; trade < 4; trade += 1) {
    await page.getByRole('button', { name: 'To the trade before' }).click();
    await says(page.locator('.travel > .callout'), /at this very sequence/);
    const at = await page.getByLabel('Go to sequence').inputValue();
    await says(page.locator('.travel > .callout'), `after sequence ${at}:`);
  }
  await looks(page, 'time-travel');
}

async function swap(page) {
  await page.goto(page.url().replace(/#.*/, '#/swap'));
  await page.getByRole('button', { name: 'One that finds no liquidity' }).click();
  await says(page.locator('.life .callout'), /^Failed/);
  await page.getByRole('button', { name: 'One whose price slips: 3 attempts' }).click();
  await says(page.locator('.life h2'), '10 RUSH → USDC');
  await says(page.locator('.life .tag'), 'retrying');
  await picture(page, 'swap-retry');
  await says(page.locator('.life .callout'), /^Failed in attempt 3/);
  await looks(page, 'swap-failed');
  await page.getByRole('button', { name: 'A swap that succeeds' }).click();
  await says(page.locator('.life .stages .current'), 'submitted');
  await picture(page, 'swap-running');
  await says(page.locator('.life .callout'), /^Confirmed/);
  await page.locator('.events summary').nth(3).click();
  const up = (look) =>
    page.evaluate(
      (narrow) => (narrow ? document.querySelector('.quotes').scrollIntoView() : scrollTo(0, 0)),
      look === '-narrow',
    );
  await looks(page, 'swap', up);
}

async function log(page) {
  await page.getByRole('link', { name: 'Log', exact: true }).click();
  await says(page.locator('.messages'), 'swap.confirmed');
  await page.locator('.messages summary').nth(2).click();
  await looks(page, 'log');
}

async function state(page) {
  await page.getByRole('link', { name: 'State' }).click();
  await says(page.locator('.state'), /Durability[^]*Position[^]*matcher BTC\/USDT/);
  for (const link of await page.locator('.state a').all()) {
    const path = await link.getAttribute('href');
    const answer = await fetch(new URL(path, page.url()));
    assert.equal(answer.status, 200, path);
    // What is not read keeps the connection, and this process, alive.
    await answer.text();
  }
  if (process.env.FILLSTREAM_SCREENSHOTS) await flow();
  await looks(page, 'state');
}

/** An address that names nothing shows nothing else instead. */
async function strangers(page) {
  for (const [address, words] of [
    ['#/market/NOPE-USDT', 'There is no market NOPE-USDT here.'],
    ['#/travel/NOPE-USDT', 'There is no market NOPE-USDT here.'],
    ['#/swap/xyz', 'must be a hyphenated UUID'],
  ]) {
    await page.goto(page.url().replace(/#.*/, address));
    await says(page.locator('.callout.bad:visible').last(), words);
  }
  await examine(page, 'an order that cannot be');
}

/** Something for the pictures of the rates. */
async function flow() {
  for (let order = 0; order < 80; order += 1) {
    await place({ user_id: MAKER, symbol, side: order % 2 ? 'SELL' : 'BUY', quantity: '0.05' });
    await new Promise((done) => setTimeout(done, 20 + (order % 8) * 30));
  }
}

await browse(/status of 400/, async (open) => {
  const page = await open('#/swap', { viewport: WIDE });
  await keyboard(page);
  await market(page);
  await travel(page);
  await swap(page);
  await log(page);
  await state(page);
  await strangers(page);
  await page.getByRole('button', { name: /^You are user/ }).click();
  await examine(page, 'who you are');
});
