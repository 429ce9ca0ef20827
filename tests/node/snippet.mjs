// The page of examples/browser, opened as a file: the server is killed while it shows an order's life.

import { assert, browse, get, says, server } from './browser.mjs';

await browse(/Failed to load resource|WebSocket connection|ERR_/, async (open) => {
  const file = new URL('../../examples/browser/watch.html', import.meta.url);
  const page = await open(`${file}?${server}`);
  await page.getByRole('button', { name: 'Swap 10 SOL to USDC' }).click();
  await says(page.locator('#steps'), ' submitted: ');
  const order = (await page.locator('#order').innerText()).split(' ')[1];

  console.log('kill');
  await says(page.locator('#note'), 'Connection lost, resuming');
  console.log('restart');

  await says(page.locator('#note'), 'The order has ended');
  const steps = (await page.locator('#steps li').allInnerTexts()).map((step) => step.split(' ')[0]);
  const { logs } = await get(`/api/orders/${order}/logs`);
  assert.deepEqual(
    steps,
    logs.map(({ seq, index }) => `${seq}.${index}`),
    'each position once, in order',
  );
  assert.equal(logs.at(-1).status, 'confirmed');
});
