// Where something scrolls sideways, the side on which it goes on fades out.

import { useEffect } from './vendor/ui.mjs';

/** Marks an element with the sides on which it goes on: `data-more="start end"`. @param {{current: HTMLElement | null}} place */
export function useEdges(place) {
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const look = () => {
      const rest = element.scrollWidth - element.clientWidth;
      // Negative where text runs from right to left.
      const gone = Math.abs(element.scrollLeft);
      const sides = [gone > 1 && 'start', rest - gone > 1 && 'end'].filter(Boolean).join(' ');
      if (sides) element.dataset.more = sides;
      else delete element.dataset.more;
    };
    const observer = new ResizeObserver(look);
    observer.observe(element);
    if (element.firstElementChild) observer.observe(element.firstElementChild);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
}
