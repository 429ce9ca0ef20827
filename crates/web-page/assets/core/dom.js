// Elements without a framework. Text is always text: nothing here ever parses markup.

/** An HTML element: el('button', { class: 'quiet', onclick: act }, 'Text', child). */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A row of column heads; those of numbers are given as { number: 'Price' }. */
export const heads = (names) =>
  el(
    'thead',
    {},
    el(
      'tr',
      {},
      names.map((name) =>
        name ? el('th', { scope: 'col', class: name.number && 'number' }, name.number ?? name) : el('td'),
      ),
    ),
  );

/** Sets a text only when it differs, so that selections and screen readers are left alone. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Tells a screen reader. */
export const say = (text) => write(document.getElementById('said'), text);

/** Runs `draw` at the next frame at most once, however often it is asked for. */
export function perFrame(draw) {
  let asked = 0;
  const ask = () => {
    if (!asked)
      asked = requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
  };
  ask.stop = () => cancelAnimationFrame(asked);
  return ask;
}

/** A button that copies `text`. */
export function copyButton(text, label) {
  const button = el('button', { type: 'button', class: 'tiny', 'aria-label': label }, 'copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text);
      write(button, 'copied');
    } catch {
      write(button, 'not allowed');
    }
    setTimeout(() => write(button, 'copy'), 1500);
  });
  return button;
}

/** A line for the terminal that shows the same as the page. */
export const shell = (command) =>
  el('div', { class: 'shell' }, el('code', {}, command), copyButton(command, `Copy the command ${command}`));
