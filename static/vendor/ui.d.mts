// The types of what `ui.mjs` exports, for editors and `npm run types`.

export declare function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export declare function render(view: any, parent: Element): void;
export { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
export { batch, computed, effect, signal } from '@preact/signals';
export type { Signal } from '@preact/signals';
