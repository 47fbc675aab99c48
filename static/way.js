// Says in a panel when what it shows comes another way than live, unless the whole page says so already.

import { html } from './vendor/ui.mjs';
import { connection } from './session.js';

/** @type {Partial<Record<import('./feed.js').FeedWay, string>>} */
const SAID = {
  poll: 'Something on the way holds the live connection back: asking twice a second instead.',
  lost: 'The server can\'t be reached. Trying again; what is shown may be old.',
};

/** @param {{way: import('./feed.js').FeedWay}} props */
export function WayNote({ way }) {
  return html`<p class="way" role="status" data-way=${way}>${(way !== 'poll' || connection.value === 'open') && SAID[way]}</p>`;
}
