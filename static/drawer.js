// The cockpit: a drawer at the right with a tab for each panel, below 760 px over the chat with the tabs at the bottom. What
// is open stands in the page's address.
//
// The focus moves before anything is painted: a moment later it would be taken from where somebody writes by then.

import { html, useEffect, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';
import { CloseButton } from './buttons.js';
import { t } from './i18n.js';
import { PANELS } from './panels.js';
import { closePanel, openOwner, openPanel, openTurn, panelAddress, replacePanel } from './route.js';
import { remember, remembered } from './storage.js';

const WIDTH = 'drawer-width';
const WIDTH_MIN = 352;
/** What the chat keeps. */
const CHAT_WIDTH_MIN = 320;
const STEP = 32;

export function Drawer() {
  /** @type {{current: HTMLElement | null}} */
  const drawer = useRef(null);
  /** What had the focus before. @type {{current: Element | null}} */
  const opener = useRef(null);
  const [width, setWidth] = useState(Number(remembered(WIDTH)) || 0);
  const id = openTurn.value;
  const isOfOther = Boolean(openOwner.value.user);
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
  // The chat shows the turn that is looked at here.
  useEffect(() => {
    if (id && !isOfOther) document.querySelector(`.chat [data-turn="${id}"]`)?.scrollIntoView({ block: 'nearest' });
  }, [id, isOfOther]);

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
    replacePanel(panelAddress(PANELS[to].name));
  }

  return html`
    <section class="drawer" ref=${drawer} aria-label=${t('cockpit.name')} style=${width ? { '--width': `${width}px` } : {}}>
      <${Edge} drawer=${drawer} width=${width} setWidth=${setWidth} />
      <div class="drawer-head">
        <div class="tabs" role="tablist" aria-label=${t('cockpit.panels')} onKeyDown=${keyInTabs}>
          ${PANELS.map((one) => html`<${Tab} key=${one.name} panel=${one} isOpen=${one === panel} />`)}
        </div>
        <${CloseButton} label=${t('cockpit.close')} onClose=${closePanel} />
      </div>
      <div class="drawer-body" id="panel" role="tabpanel" aria-labelledby=${`tab-${panel.name}`} tabindex="0" key=${panel.name}>
        <h2 class="sr-only">${panel.label()}</h2>
        <${panel.View} />
      </div>
    </section>
  `;
}

/** The edge that makes the drawer wider and narrower, by pointer or by arrow keys; a double click gives it its own width back.
 * @param {{drawer: {current: HTMLElement | null}, width: number, setWidth: (width: number) => void}} props  `width`: 0 where none was chosen */
function Edge({ drawer, width, setWidth }) {
  const most = Math.max(WIDTH_MIN, innerWidth - CHAT_WIDTH_MIN);
  const [now, setNow] = useState(0);
  const isHeld = useRef(false);
  // As wide as it is, which the window bounds as well.
  useLayoutEffect(() => {
    const element = drawer.current;
    if (!element) return;
    const measure = () => setNow(Math.round(element.getBoundingClientRect().width));
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);

  /** @param {number} to */
  function change(to) {
    setWidth(Math.round(Math.min(most, Math.max(WIDTH_MIN, to))));
  }
  const keep = () => remember(WIDTH, width ? String(width) : '');
  useEffect(() => {
    if (!isHeld.current) keep();
  }, [width]);

  /** @param {KeyboardEvent} event */
  function keyPressedHere(event) {
    const to = { ArrowLeft: now + STEP, ArrowRight: now - STEP, Home: WIDTH_MIN, End: most }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    change(to);
  }

  /** @param {PointerEvent} event */
  function take(event) {
    isHeld.current = true;
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  function move(event) {
    const right = drawer.current?.getBoundingClientRect().right ?? innerWidth;
    if (isHeld.current) change(right - event.clientX);
  }

  function letGo() {
    isHeld.current = false;
    keep();
  }

  return html`
    <div class="edge" role="separator" tabindex="0" aria-orientation="vertical" aria-label=${t('cockpit.width')} aria-controls="panel"
      aria-valuemin=${WIDTH_MIN} aria-valuemax=${most} aria-valuenow=${now} title=${t('cockpit.width')}
      onKeyDown=${keyPressedHere} onPointerDown=${take} onPointerMove=${move} onPointerUp=${letGo} onPointerCancel=${letGo} onDblClick=${() => setWidth(0)}></div>
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
      onClick=${() => replacePanel(panelAddress(name))}>${label()}</button>
  `;
}

/** To where it came from; where that has gone, to where one writes. @param {Element | null} opener */
function giveFocusBack(opener) {
  const isThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body;
  (isThere ? opener : document.getElementById('message'))?.focus();
}
