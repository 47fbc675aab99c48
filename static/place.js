// Where the reader of each conversation was, as long as this tab lives: which turn stood at the top, and how far it was
// scrolled. Nothing is kept of one that was read to its end, which new turns make longer.

import { parsed, session } from './api.js';
import { own } from './session.js';
import { remember, remembered } from './storage.js';

const STORED = 'places';
const PLACES_MAX = 50;
const NEAR_PX = 60;
/** What is fetched late makes turns higher: as long after the last time, and altogether. */
const SETTLING_MS = 2000;
const SETTLING_MS_MAX = 60_000;
const TAKES_OVER = ['wheel', 'touchstart', 'keydown', 'pointerdown'];

/** @typedef {{turn: string, top: number}} Place  `top`: pixels below the upper edge of what is seen */

/** The latest first. @returns {[string, Place][]} */
function places() {
  try {
    const known = parsed(remembered(own(STORED, ''), 'tab') || '[]');
    return Array.isArray(known) ? known : [];
  } catch {
    return [];
  }
}

/** @returns {HTMLElement | null} */
const scroller = () => document.querySelector('.scroller');

export function keepPlace() {
  const element = scroller();
  if (!element) return;
  const others = places().filter(([name]) => name !== session);
  const place = placeIn(element);
  const all = place ? [/** @type {[string, Place]} */ ([session, place]), ...others] : others;
  remember(own(STORED, ''), all.length > 0 ? JSON.stringify(all.slice(0, PLACES_MAX)) : '', 'tab');
}

/** None at the end. @param {HTMLElement} element @returns {Place | undefined} */
function placeIn(element) {
  if (element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX) return undefined;
  const edge = element.getBoundingClientRect().top;
  for (const turn of element.querySelectorAll('[data-turn]')) {
    const { top, bottom } = turn.getBoundingClientRect();
    if (bottom > edge && turn instanceof HTMLElement && turn.dataset.turn) return { turn: turn.dataset.turn, top: Math.round(top - edge) };
  }
  return undefined;
}

/** Back to where the reader was, and there until everything is drawn or they scroll themselves. */
export function returnToPlace() {
  const element = scroller();
  const [, place] = places().find(([name]) => name === session) ?? [];
  if (!element || !place) return;
  let timer = 0;
  const settle = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (element.querySelector('[aria-busy=true]') ? settle() : end()), SETTLING_MS);
    const turn = element.querySelector(`[data-turn="${CSS.escape(place.turn)}"]`);
    if (turn) element.scrollTop += turn.getBoundingClientRect().top - element.getBoundingClientRect().top - place.top;
  };
  // Once at first, and whenever something has become higher.
  const observer = new ResizeObserver(settle);
  observer.observe(element);
  if (element.firstElementChild) observer.observe(element.firstElementChild);
  const leave = new AbortController();
  const end = () => {
    clearTimeout(timer);
    observer.disconnect();
    leave.abort();
  };
  for (const event of TAKES_OVER) addEventListener(event, end, { signal: leave.signal, capture: true, passive: true });
  setTimeout(end, SETTLING_MS_MAX);
}
