// Whether an answer was good, as its reader says: two buttons, kept by the server. A bad answer can be saved as a test at once.

import { html, signal, useEffect, useRef, useState } from './vendor/ui.mjs';
import { postRepeatable, read, serverAhead, session } from './api.js';
import { list } from './coerce.js';
import { t } from './i18n.js';
import { traces } from './live.js';
import { SaveTest } from './turntest.js';

const TURNS_MAX = 200;
const COMMENT_CHARACTERS_MAX = 2000;

/** By session and turn: 1, -1, or 0 once it was taken back. @type {import('./vendor/ui.mjs').Signal<Record<string, number>>} */
const ratings = signal({});
/** The sessions whose ratings from before this page was there were asked for. @type {Set<string>} */
const asked = new Set();

/** Ratings that are older than the page; what was said here meanwhile stays. */
function readRatings() {
  const of = session;
  if (asked.has(of)) return;
  asked.add(of);
  read('/api/turns', { limit: TURNS_MAX }).then(
    ({ turns }) => {
      const known = list(turns).map(({ id, rating }) => [`${of}/${id}`, rating ?? 0]);
      ratings.value = { ...Object.fromEntries(known), ...ratings.value };
    },
    () => asked.delete(of),
  );
}

/** @param {string} path */
const thumb = (path) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>`;
const UP = 'M4 11h3v9H4zM7 11l4-8c1.6 0 2.4 1.3 2 3l-.7 3H19c1.3 0 2 1 1.7 2.2l-1.5 7c-.2 1-1 1.8-2 1.8H7';
const DOWN = 'M4 13h3V4H4zM7 13l4 8c1.6 0 2.4-1.3 2-3l-.7-3H19c1.3 0 2-1 1.7-2.2l-1.5-7c-.2-1-1-1.8-2-1.8H7';

/** @param {{id: string}} props */
export function Feedback({ id }) {
  const [trouble, setTrouble] = useState('');
  const [isAsking, setAsking] = useState(false);
  const [isSent, setSent] = useState(false);
  const key = `${session}/${id}`;
  const rating = ratings.value[key] ?? 0;
  const startedAt = traces.value[id]?.started_at ?? 0;
  const isOlder = startedAt < performance.timeOrigin + serverAhead;
  useEffect(() => {
    if (isOlder) readRatings();
  }, [key, isOlder]);

  /** @param {number} chosen */
  async function rate(chosen) {
    const next = chosen === rating ? 0 : chosen;
    ratings.value = { ...ratings.value, [key]: next };
    setAsking(next !== 0);
    setSent(false);
    if (!(await send({ turn: id, rating: next || null }))) ratings.value = { ...ratings.value, [key]: rating };
  }

  /** @param {string} text */
  async function comment(text) {
    if (!(await send({ turn: id, rating, comment: text }))) return;
    setAsking(false);
    setSent(true);
  }

  /** @param {object} body */
  async function send(body) {
    setTrouble('');
    try {
      await postRepeatable('/api/feedback', body);
      return true;
    } catch (reason) {
      setTrouble(/** @type {Error} */ (reason).message);
      return false;
    }
  }

  /** @param {number} value @param {string} label @param {string} path */
  const button = (value, label, path) => html`
    <button type="button" class="quiet copy thumb" aria-label=${label} title=${label} aria-pressed=${rating === value} onClick=${() => rate(value)}>
      ${thumb(path)}
    </button>
  `;
  return html`
    <span class="feedback" role="group" aria-label=${t('feedback.title')}>
      ${button(1, t('feedback.good'), UP)}${button(-1, t('feedback.bad'), DOWN)}
      ${rating < 0 && html`<${SaveTest} id=${id} />`}
    </span>
    ${isAsking && html`<${Comment} rating=${rating} onSend=${comment} onEnd=${() => setAsking(false)} />`}
    ${isSent && html`<span class="facts" role="status">${t('feedback.thanks')}</span>`}
    ${trouble && html`<span class="bad" role="status">${t('feedback.trouble', { why: trouble })}</span>`}
  `;
}

/** Why, in the reader's words, if they like. @param {{rating: number, onSend: (text: string) => void, onEnd: () => void}} props */
function Comment({ rating, onSend, onEnd }) {
  /** @type {{current: HTMLInputElement | null}} */
  const field = useRef(null);
  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const text = field.current?.value.trim();
    // The button that led here stays; the field goes away, so its focus needs a place.
    /** @type {HTMLElement | null | undefined} */ (field.current?.closest('.foot')?.querySelector('.thumb[aria-pressed=true]'))?.focus();
    if (text) onSend(text);
    else onEnd();
  }
  /** @param {KeyboardEvent} event */
  function keyPressed(event) {
    if (event.key !== 'Escape') return;
    // Elsewhere it stops the answer.
    event.stopPropagation();
    onEnd();
    /** @type {HTMLElement | null | undefined} */ (field.current?.closest('.foot')?.querySelector('.thumb[aria-pressed=true]'))?.focus();
  }
  const label = t(rating < 0 ? 'feedback.whyBad' : 'feedback.whyGood');
  return html`
    <form class="comment" onSubmit=${submit}>
      <input type="text" ref=${field} dir="auto" maxlength=${COMMENT_CHARACTERS_MAX} aria-label=${label} placeholder=${label} onKeyDown=${keyPressed} />
      <button type="submit" class="plain">${t('feedback.send')}</button>
    </form>
  `;
}
