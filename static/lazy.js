// A part of the page that is fetched when it is first shown, with its style sheet if it has one. Until then nothing stands in its place.

import { html, signal } from './vendor/ui.mjs';

const AGAIN_MS = 2000;

/** @typedef {(props: any) => any} View */
/** @typedef {View & {ahead: () => void, isHere: () => boolean}} LazyView  `ahead` fetches it before it is shown */

/** @param {() => Promise<View>} load @param {string} [sheet] its style sheet's name @param {string} [sheetId] its element's id @returns {LazyView} */
export function lazy(load, sheet = '', sheetId = '') {
  /** @type {import('./vendor/ui.mjs').Signal<{View: View} | undefined>} */
  const part = signal(undefined);
  let isAsked = false;

  function ahead() {
    if (!isAsked) ask();
  }

  function ask() {
    isAsked = true;
    Promise.all([load(), sheet && styled(sheet, sheetId)])
      .then(([View]) => (part.value = { View }))
      .catch(() => setTimeout(ask, AGAIN_MS));
  }

  /** @param {any} props */
  function Lazy(props) {
    ahead();
    return part.value ? html`<${part.value.View} ...${props} />` : null;
  }
  return Object.assign(Lazy, { ahead, isHere: () => part.value !== undefined });
}

/** @type {Map<string, Promise<unknown>>} */
const sheets = new Map();

/** @param {string} sheet @param {string} id */
function styled(sheet, id) {
  const known = sheets.get(sheet) ?? linked(sheet, id);
  sheets.set(sheet, known);
  known.catch(() => sheets.delete(sheet));
  return known;
}

/** @param {string} sheet @param {string} id */
function linked(sheet, id) {
  return new Promise((resolve, reject) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    if (id) link.id = id;
    link.href = new URL(`css/${sheet}`, import.meta.url).href;
    link.onload = resolve;
    link.onerror = () => {
      link.remove();
      reject(new Error(`${sheet} could not be read.`));
    };
    document.head.append(link);
  });
}
