// Light, dark, or what the system says.

import { write } from './dom.js';

const KEY = 'fillstream.theme';
const SCHEMES = { auto: 'light dark', light: 'light', dark: 'dark' };
const listeners = new Set();
const tell = () => listeners.forEach((changed) => changed());

/** Tells that the colours are others now; returns how to stop. */
export function onTheme(changed) {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

export function themeButton(button) {
  const names = Object.keys(SCHEMES);
  let theme = localStorage.getItem(KEY);
  if (!names.includes(theme)) theme = 'auto';
  const show = () => {
    document.documentElement.style.colorScheme = SCHEMES[theme];
    write(button, `◐ ${theme}`);
    button.setAttribute('aria-label', `Colours: ${theme}. Change`);
    tell();
  };
  button.addEventListener('click', () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    localStorage.setItem(KEY, theme);
    show();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
  show();
}
