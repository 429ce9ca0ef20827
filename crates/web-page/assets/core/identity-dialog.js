// The dialog in which one becomes another user.

import { el, write } from './dom.js';
import { become, isUuid, newUuid, token, user } from './identity.js';

export function openIdentity() {
  const id = el('input', {
    id: 'user',
    value: user(),
    spellcheck: 'false',
    autocomplete: 'off',
    'aria-describedby': 'user-fault',
  });
  const bearer = el('input', { id: 'bearer', type: 'password', value: token(), autocomplete: 'off' });
  const fault = el('p', { class: 'fault', id: 'user-fault' });
  const close = () => dialog.close();
  const accept = (event) => {
    event.preventDefault();
    const wanted = id.value.trim().toLowerCase();
    if (!isUuid(wanted)) return write(fault, 'must be a hyphenated UUID');
    become(wanted, bearer.value.trim());
    return close();
  };
  const dialog = el(
    'dialog',
    { 'aria-labelledby': 'who' },
    el(
      'form',
      { onsubmit: accept },
      el('h2', { id: 'who' }, 'Who you are'),
      el(
        'p',
        { class: 'faint' },
        'Without authentication a user is whoever a request names. This browser keeps the id; with another one you trade against yourself.',
      ),
      el('div', { class: 'field' }, el('label', { for: 'user' }, 'User id'), id, fault),
      el(
        'button',
        {
          type: 'button',
          class: 'quiet',
          onclick: () => {
            id.value = newUuid();
          },
        },
        'A new one',
      ),
      el(
        'div',
        { class: 'field' },
        el(
          'label',
          { for: 'bearer' },
          'Bearer token, where the server asks for one; kept until the tab is closed',
        ),
        bearer,
      ),
      el(
        'div',
        { class: 'inline end' },
        el('button', { type: 'button', class: 'quiet', onclick: close }, 'Leave it'),
        el('button', { class: 'primary' }, 'Be this user'),
      ),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
