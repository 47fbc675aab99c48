// The drawer at the right: holds one panel at a time, below 760 px over the chat. What is open stands in the page's address.

import { html, useEffect, useRef } from './vendor/ui.mjs';
import { CloseButton } from './buttons.js';
import { closeTurn, openTurn } from './route.js';
import { TraceView } from './trace.js';

export function Drawer() {
  /** @type {{current: HTMLElement | null}} */
  const drawer = useRef(null);
  const id = openTurn.value;

  useEffect(() => {
    if (id) drawer.current?.querySelector('h2')?.focus();
  }, [id]);

  if (!id) return null;

  function close() {
    closeTurn();
    const opener = document.querySelector(`[data-turn="${id}"] .trace-link`) ?? document.querySelector('#message');
    /** @type {HTMLElement} */ (opener)?.focus();
  }

  /** Esc closes the drawer that it was pressed in, and stops nothing. @param {KeyboardEvent} event */
  function keyPressed(event) {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    close();
  }

  return html`
    <section class="drawer" ref=${drawer} aria-label="Trace" onKeyDown=${keyPressed}>
      <div class="drawer-head">
        <h2 tabindex="-1">Trace <small>${id}</small></h2>
        <${CloseButton} label="Close the trace" onClose=${close} />
      </div>
      <div class="drawer-body" tabindex="0" role="region" aria-label=${`Frames of ${id}`}><${TraceView} id=${id} /></div>
    </section>
  `;
}
