// A real browser for one case: its pages, and everything that must not happen on them.
//
//   the test (Rust) ── starts the server ──▶ node CASE.mjs ──▶ Chromium ──▶ the server's page
//         ▲                                      │
//         └── lines such as "kill": acts on the server
//
// FILLSTREAM_SERVER is the server, FILLSTREAM_NODE_PACKAGES the folder in which the packages were installed.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

export { assert };
export const need = createRequire(`${process.env.FILLSTREAM_NODE_PACKAGES}/`);
export const server = process.env.FILLSTREAM_SERVER;

/** Longer than anything takes on a busy machine. */
const PATIENCE_MS = 60_000;
const PERIOD_MS = 20;

/** Asks again and again until it is so; `look()` gives what is wrong, or nothing. */
export async function until(what, look) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const wrong = await look();
    if (wrong === undefined || wrong === true) return;
    if (performance.now() > deadline) throw new Error(`${what}: ${wrong === false ? 'it is not' : wrong}`);
    await new Promise((done) => setTimeout(done, PERIOD_MS));
  }
}

/** Waits until a part of the page says this. */
export const says = (locator, words) =>
  until(`says ${words}`, async () => {
    const text = (await locator.allInnerTexts()).join('\n');
    return (words instanceof RegExp ? words.test(text) : text.includes(words)) || JSON.stringify(text);
  });

/**
 * Runs a case: `open(address, options)` gives a page of a new user. Whatever a page complains of fails the case, but for what
 * `expected` matches.
 */
export async function browse(expected, run) {
  const browser = await need('playwright-core').chromium.launch({
    executablePath: process.env.FILLSTREAM_CHROMIUM,
    args: ['--no-sandbox'],
  });
  const complaints = [];
  const complain = (text) => expected?.test(text) || complaints.push(text);
  const open = async (address, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on('pageerror', (error) => complain(error.stack));
    page.on('console', (message) => message.type() === 'error' && complain(message.text()));
    await page.goto(address.startsWith('#') ? `${server}/${address}` : address);
    return page;
  };
  try {
    await run(open);
    assert.deepEqual(complaints, [], 'the page complains');
  } finally {
    await browser.close();
  }
}

/** A picture for the documentation, in the folder FILLSTREAM_SCREENSHOTS; none without it. */
export async function picture(page, name) {
  const folder = process.env.FILLSTREAM_SCREENSHOTS;
  if (!folder) return;
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${folder}/${name}.png`, animations: 'disabled' });
}

/** An order of the book, placed by somebody else. */
export async function place(order) {
  const response = await fetch(`${server}/api/v1/orders`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ type: order.price ? 'LIMIT' : 'MARKET', ...order }),
  });
  assert.equal(response.status, 201, await response.text());
}

/** JSON of the server. */
export const get = async (path) => (await fetch(server + path)).json();
