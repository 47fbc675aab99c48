// A turn as a test: its suite and its cassette, as two files.

import { html, useState } from './vendor/ui.mjs';
import { read } from './api.js';
import { t } from './i18n.js';

/** @param {{id: string, owner?: import('./turnread.js').Owner}} props */
export function SaveTest({ id, owner = {} }) {
  const [said, setSaid] = useState({ id, isBusy: false, trouble: '' });
  const { isBusy, trouble } = said.id === id ? said : { isBusy: false, trouble: '' };

  async function save() {
    setSaid({ id, isBusy: true, trouble: '' });
    let trouble = '';
    try {
      const { name, suite, cassette } = await read('/api/turn/test', { id, ...owner });
      saved(`${name}.md`, suite, 'text/markdown');
      saved(`${name}.jsonl`, cassette, 'application/jsonl');
    } catch (reason) {
      ({ message: trouble } = /** @type {Error} */ (reason));
    }
    setSaid({ id, isBusy: false, trouble });
  }
  return html`
    <button type="button" class="quiet" disabled=${isBusy} onClick=${save} title=${t('turntest.about')}>${t('turntest.save')}</button>
    ${trouble && html`<span class="bad" role="status">${trouble}</span>`}
  `;
}

/** @param {string} name @param {string} text @param {string} type */
function saved(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
