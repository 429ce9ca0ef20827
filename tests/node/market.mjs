// Two people meet in a market: an order rests, is taken in part, amended and cancelled; then the same, looked back on.

import { assert, browse, get, says, until } from './browser.mjs';

const tape = (page) => page.getByRole('region', { name: 'Trades, the latest first' });
const own = (page) => page.getByRole('region', { name: 'Open orders' });

async function order(page, side, quantity, price) {
  await page.getByText(side, { exact: true }).click();
  await page.getByLabel('Quantity, BTC').fill(quantity);
  if (price) await page.getByLabel('Price, USDT').fill(price);
  await page.getByRole('button', { name: new RegExp(`^${side} ${quantity} BTC for `) }).click();
}

/** The book on the page is proven, and is the one that the server has. */
const proven = (page) =>
  until('the book is proven', async () => {
    const { checksum } = await get('/api/v1/markets/BTC-USDT/book');
    const chip = await page.locator('.strip-end').innerText();
    return chip.includes(`book proven, ${checksum}`) || chip;
  });

async function match(seller, buyer) {
  await order(seller, 'Sell', '2', '100.505');
  await says(seller.locator('#entry-price-fault'), /tick/);
  await order(seller, 'Sell', '2', '100.5');
  await says(own(seller), /SELL[^]*100\.50\s+0 \/ 2/);
  // The level is a button that fills in its price.
  await buyer.getByRole('button', { name: /^2 at 100\.5,/ }).click();
  await order(buyer, 'Buy', '1.5');
  await says(tape(seller), /100\.50\s+1\.5\s+sold/);
  await says(tape(buyer), /100\.50\s+1\.5\s+bought/);
  await says(own(seller), /1\.5 \/ 2/);
  await says(buyer.locator('.at-own'), 'You have no open order in this market.');
  await proven(seller);
  await proven(buyer);
}

/** By keyboard alone. */
async function amendAndCancel(seller) {
  await seller.getByRole('button', { name: /^Amend SELL 2 at / }).press('Enter');
  await seller.getByLabel('New quantity').fill('1.8');
  await seller.getByLabel('New price').fill('101');
  await seller.keyboard.press('Enter');
  await says(own(seller), /101\.00\s+1\.5 \/ 1\.8/);
  await seller.getByRole('button', { name: /^Cancel SELL 1\.8 at / }).press('Enter');
  await says(seller.locator('.at-own'), 'You have no open order in this market.');
  await seller.getByText('Ended orders').click();
  await says(seller.getByRole('region', { name: 'Ended orders' }), 'cancelled');
  await proven(seller);
}

async function lookBack(page) {
  await page.getByRole('link', { name: 'Time travel' }).click();
  const told = page.locator('.travel > .callout');
  await says(told, /bid –, ask –/);
  await says(tape(page), '100.50');
  await page.getByRole('button', { name: 'To the trade before' }).click();
  await says(told, /ask 100\.50\. 1 trade at this very sequence\./);
  await says(page.locator('.ladder .asks'), /100\.50\s+0\.5/);
  await page.getByRole('button', { name: 'One sequence back' }).click();
  await says(page.locator('.ladder .asks'), /100\.50\s+2/);
  await says(tape(page), 'No trade yet.');
  await says(page.locator('.strip'), 'book proven');
  const slider = page.getByRole('slider', { name: 'Sequence of the stream' });
  await slider.press('Home');
  await says(told, /after sequence 0: bid –, ask –/);
  assert.equal(await page.getByLabel('Go to sequence').inputValue(), '0');
  await slider.press('End');
  await says(tape(page), '100.50');
}

await browse(/status of 4(00|22)/, async (open) => {
  const [seller, buyer] = [await open('#/market/BTC-USDT'), await open('#/market/BTC-USDT')];
  await match(seller, buyer);
  await amendAndCancel(seller);
  await lookBack(seller);
});
