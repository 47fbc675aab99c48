// Keeps the end of the conversation in view while the reader is there, whatever changes its room: text that comes, a composer
// that grows, a banner, a window that is resized, the keyboard of a phone.

import { useEffect, useLayoutEffect, useRef, useState } from './vendor/ui.mjs';

const NEAR_PX = 60;
/** Less is a bar of the browser, not a keyboard. */
const KEYBOARD_PX_MIN = 100;

/** @param {{current: HTMLElement | null}} scroller with the column as its first child @param {unknown[]} changes what may make the column longer */
export function useFollowing(scroller, changes) {
  const following = useRef(true);
  const [isAway, setAway] = useState(false);

  function toEnd() {
    following.current = true;
    setAway(false);
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }

  function scrolled() {
    const element = scroller.current;
    if (!element) return;
    following.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    setAway(!following.current);
  }

  useLayoutEffect(() => {
    if (following.current) toEnd();
    else scrolled();
  }, changes);

  // What is fetched late makes the column longer later, and what stands around it makes its room smaller.
  useEffect(() => {
    const element = scroller.current;
    const observer = new ResizeObserver(() => (following.current ? toEnd() : scrolled()));
    for (const one of [element, element?.firstElementChild]) if (one) observer.observe(one);
    return () => observer.disconnect();
  }, []);
  useEffect(fitKeyboard, []);

  return { isAway, toEnd, scrolled };
}

/** A phone's keyboard lies over the page: the page ends above it. Without this the composer and the end are behind it. */
function fitKeyboard() {
  const view = window.visualViewport;
  if (!view) return;
  const fit = () => {
    // Enlarged with two fingers, the view is small as well.
    const isCovered = view.scale === 1 && window.innerHeight - view.height > KEYBOARD_PX_MIN;
    document.body.style.height = isCovered ? `${view.height}px` : '';
    // Some browsers push the page up, beyond its own top.
    if (isCovered && view.offsetTop > 0) window.scrollTo(0, 0);
  };
  fit();
  view.addEventListener('resize', fit);
  return () => view.removeEventListener('resize', fit);
}
