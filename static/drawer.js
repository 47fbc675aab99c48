// The cockpit: a drawer at the right with a tab for each panel, below 760 px over the chat with the tabs at the bottom. What
// is open stands in the page's address.
//
// The focus moves before anything is painted: a moment later it would be taken from where somebody writes by then.

import { html, useLayoutEffect, useRef } from './vendor/ui.mjs';
import { CloseButton } from './buttons.js';
import { PANELS } from './panels.js';
import { closePanel, openPanel, openTurn, replacePanel } from './route.js';

export function Drawer() {
  /** @type {{current: HTMLElement | null}} */
  const drawer = useRef(null);
  /** What had the focus before. @type {{current: Element | null}} */
  const opener = useRef(null);
  const id = openTurn.value;
  const panel = PANELS.find(({ name }) => name === openPanel.value) ?? PANELS[0];

  useLayoutEffect(() => {
    if (!drawer.current?.contains(document.activeElement)) {
      opener.current = document.activeElement;
      // A frame round the tab helps who came by a key, and puzzles who came by an address.
      selectedTab()?.focus({ focusVisible: Boolean(opener.current?.matches(':is(button, a):focus-visible')) });
    }
  }, [id]);
  // Another panel by its address, by a key or by the back button: the focus doesn't stay on a tab that is no longer the
  // selected one, nor is it lost with what stood in the panel before.
  useLayoutEffect(() => {
    const focused = document.activeElement;
    if (focused === document.body || focused?.matches('.drawer [role=tab]')) selectedTab()?.focus();
  }, [panel.name]);
  useLayoutEffect(() => {
    document.addEventListener('keydown', keyPressed, true);
    return () => {
      document.removeEventListener('keydown', keyPressed, true);
      giveFocusBack(opener.current);
    };
  }, []);

  /** @returns {HTMLElement | null | undefined} */
  function selectedTab() {
    return drawer.current?.querySelector('[role=tab][aria-selected=true]');
  }

  /** @param {KeyboardEvent} event */
  function keyInTabs(event) {
    const at = PANELS.indexOf(panel);
    const last = PANELS.length - 1;
    const to = { ArrowLeft: at > 0 ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    replacePanel(`#/${PANELS[to].name}`);
  }

  return html`
    <section class="drawer" ref=${drawer} aria-label="Cockpit">
      <div class="drawer-head">
        <div class="tabs" role="tablist" aria-label="Panels" onKeyDown=${keyInTabs}>
          ${PANELS.map((one) => html`<${Tab} key=${one.name} panel=${one} isOpen=${one === panel} />`)}
        </div>
        <${CloseButton} label="Close the cockpit" onClose=${closePanel} />
      </div>
      <div class="drawer-body" id="panel" role="tabpanel" aria-labelledby=${`tab-${panel.name}`} tabindex="0" key=${panel.name}>
        <h2 class="sr-only">${panel.label}</h2>
        <${panel.View} />
      </div>
    </section>
  `;
}

/** Esc closes the drawer first, and stops nothing. Where one writes it stops the answer all the same: so one can watch.
 * @param {KeyboardEvent} event */
function keyPressed(event) {
  if (event.key !== 'Escape' || document.activeElement?.id === 'message' || document.querySelector('dialog[open], :popover-open')) return;
  event.stopPropagation();
  closePanel();
}

/** @param {{panel: import('./panels.js').Panel, isOpen: boolean}} props */
function Tab({ panel: { name, label }, isOpen }) {
  return html`
    <button type="button" role="tab" id=${`tab-${name}`} aria-selected=${isOpen} aria-controls="panel" tabindex=${isOpen ? 0 : -1}
      onClick=${() => replacePanel(`#/${name}`)}>${label}</button>
  `;
}

/** To where it came from; where that has gone, to where one writes. @param {Element | null} opener */
function giveFocusBack(opener) {
  const isThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body;
  (isThere ? opener : document.getElementById('message'))?.focus();
}
