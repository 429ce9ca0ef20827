// Light, dark, or what the system says.

import { write } from './dom.js';

const KEY = 'fillstream.theme';
const SCHEMES = { auto: 'light dark', light: 'light', dark: 'dark' };

export function themeButton(button) {
  const names = Object.keys(SCHEMES);
  let theme = localStorage.getItem(KEY);
  if (!names.includes(theme)) theme = 'auto';
  const show = () => {
    document.documentElement.style.colorScheme = SCHEMES[theme];
    write(button, `◐ ${theme}`);
    button.setAttribute('aria-label', `Colours: ${theme}. Change`);
  };
  button.addEventListener('click', () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    localStorage.setItem(KEY, theme);
    show();
  });
  show();
}
