// Swaps: one that is refused, one that succeeds, one that fails on purpose; and their messages in the log.

import { assert, browse, says, server, until } from './browser.mjs';

/** The positions of the events, the first one first, and their types. */
const events = async (page) =>
  (await page.locator('.life .events summary').allInnerTexts()).map((text) => text.split('\n')).reverse();
const types = async (page) => (await page.locator('.life .events .tag').allInnerTexts()).reverse();

async function refused(page) {
  await page.getByLabel('Amount').fill('0');
  await page.getByRole('button', { name: 'Place the swap' }).click();
  await says(page.locator('#amount-fault'), /must/);
  assert.equal(await page.getByLabel('Amount').getAttribute('aria-invalid'), 'true');
}

async function confirmed(page) {
  await page.getByLabel('Amount').fill('10');
  await page.getByRole('button', { name: 'Place the swap' }).click();
  await says(page.locator('.life .callout'), /^Confirmed: 1,.* USDC at 14.* Transaction /);
  assert.equal(await page.locator('#amount-fault').innerText(), '');
  assert.equal(await page.getByRole('progressbar').getAttribute('aria-valuenow'), '100');
  assert.match(
    await page.getByRole('region', { name: 'Quotes' }).innerText(),
    /Raydium[^]*\d[^]*Meteora[^]*\d/,
  );
  assert.equal(await page.locator('.quote.chosen').count(), 1);
  assert.deepEqual(await types(page), [
    ...['pending', 'routing', 'routing', 'building', 'building', 'submitted', 'confirmed'],
  ]);
  const told = await events(page);
  assert.ok(
    told.slice(1).every(([, , since]) => since.startsWith('+')),
    told.join('\n'),
  );
  await page.locator('.life .events summary').first().click();
  await says(page.locator('.life .events pre'), '"txHash"');
}

async function failed(page) {
  await page.getByRole('button', { name: 'One whose price slips: 3 attempts' }).click();
  await says(page.locator('.life .callout'), /^Failed in attempt 3 of 3: slippage exceeded/);
  const told = await types(page);
  assert.equal(told.filter((type) => type === 'retrying').length, 2, told.join());
  assert.equal(told.at(-1), 'failed');
  assert.match(await page.getByRole('progressbar').getAttribute('aria-valuetext'), /^failed/);
}

/** The order's own messages; then a filter that is no subject; then paused. */
async function log(page) {
  await page.getByRole('link', { name: 'Its messages in the log' }).click();
  const subjects = page.locator('.messages .subject');
  await says(subjects, /^orders\.swap\.[-0-9a-f]{36}\.progress[^]*\.placed$/);
  const subject = await page.getByLabel('Subject', { exact: true }).inputValue();
  await says(page.locator('.shell code'), `nats stream view ORDERS --subject '${subject}'`);
  await page.locator('.messages summary').first().click();
  await says(page.locator('.messages pre'), /"type": "swap\.failed"[^]*"reason": "slippage/);

  await page.getByLabel('Subject', { exact: true }).fill('orders..swap');
  await page.getByRole('button', { name: 'Show' }).click();
  await says(page.locator('#subject-fault'), /\w/);
  assert.equal(await page.getByLabel('Subject', { exact: true }).getAttribute('aria-invalid'), 'true');
  assert.equal(await subjects.count(), 0);

  await page.getByRole('link', { name: 'Swaps', exact: true }).click();
  await until('both orders are there', async () => new Set(await subjects.allInnerTexts()).size === 4);
  const before = await subjects.count();
  await page.getByRole('button', { name: 'Pause' }).click();
  const placed = await fetch(`${server}/api/orders/execute`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ tokenIn: 'SOL', tokenOut: 'USDC', amount: 1 }),
  });
  assert.equal(placed.status, 201, await placed.text());
  const resume = page.getByRole('button', { name: /^Resume, [1-9]\d* waiting$/ });
  await resume.waitFor();
  assert.equal(await subjects.count(), before);
  await resume.click();
  await until('what waited is shown', async () => (await subjects.count()) > before);
}

await browse(/status of 4(00|22)/, async (open) => {
  const page = await open('#/swap');
  await refused(page);
  await confirmed(page);
  await failed(page);
  await log(page);
});
