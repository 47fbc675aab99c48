// Whether the list of conversations is open: beside the chat where there is room for it, which is remembered, else as a sheet
// above it, which is not.

import { computed, signal } from './vendor/ui.mjs';
import { openPanel } from './route.js';
import { remember, remembered } from './storage.js';

const OPEN = 'list';

/** Follows a media query. @param {string} query */
function matching(query) {
  const list = matchMedia(query);
  const matches = signal(list.matches);
  list.addEventListener('change', () => (matches.value = list.matches));
  return matches;
}

const isWide = matching('(min-width: 900px)');
/** Room for the cockpit as well. */
const isWidest = matching('(min-width: 1250px)');

/** Whether there is room beside the chat. */
const hasRoom = computed(() => isWidest.value || (isWide.value && !openPanel.value));
const isKeptOpen = signal(remembered(OPEN) === 'open');
const isSheetOpen = signal(false);

export const isBeside = computed(() => hasRoom.value && isKeptOpen.value);
export const isAbove = computed(() => !hasRoom.value && isSheetOpen.value);
/** Counts how often the search field was called for. */
export const searches = signal(0);

export function toggleList() {
  if (isBeside.value || isAbove.value) closeList();
  else openList();
}

/** Opens the list with the search field focused. */
export function openList() {
  searches.value += 1;
  if (!hasRoom.value) isSheetOpen.value = true;
  else keepOpen(true);
}

export function closeList() {
  if (hasRoom.value) keepOpen(false);
  isSheetOpen.value = false;
}

/** @param {boolean} isOpen */
function keepOpen(isOpen) {
  isKeptOpen.value = isOpen;
  remember(OPEN, isOpen ? 'open' : '');
}
