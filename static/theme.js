// Dark or light: the system's choice until the user makes one, which is remembered.

import { signal } from './vendor/ui.mjs';
import { remember, remembered } from './storage.js';

const system = matchMedia('(prefers-color-scheme: dark)');

/** @returns {'dark' | 'light'} */
function present() {
  const chosen = remembered('theme');
  if (chosen === 'dark' || chosen === 'light') return chosen;
  return system.matches ? 'dark' : 'light';
}

export const theme = signal(present());

export function toggleTheme() {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  // Choosing what the system says anyway means to follow it again.
  remember('theme', next === (system.matches ? 'dark' : 'light') ? '' : next);
  show();
}

function show() {
  theme.value = present();
  if (remembered('theme')) document.documentElement.dataset.theme = theme.value;
  else delete document.documentElement.dataset.theme;
}

system.addEventListener('change', show);
