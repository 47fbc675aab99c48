// Makes a view be drawn again about ten times a second while something in it runs, and never otherwise.

import { useEffect, useState } from './vendor/ui.mjs';

const EVERY_MS = 100;

/** @param {boolean} isOn */
export function useTicker(isOn) {
  const [, draw] = useState(0);
  useEffect(() => {
    if (!isOn) return;
    let drawn = 0;
    /** A page that can't be seen isn't painted, so this rests too. @param {number} time */
    function paint(time) {
      frame = requestAnimationFrame(paint);
      if (time - drawn < EVERY_MS) return;
      drawn = time;
      draw(time);
    }
    let frame = requestAnimationFrame(paint);
    return () => cancelAnimationFrame(frame);
  }, [isOn]);
}
