// What each answer shows beside its text: which turn a display belongs to.
//
// Pure. An event `controls` has everything that is on the screen: the last answer's own controls, then each machine's. The
// answer's own stay with its turn when the next answer replaces them. A machine's step replaces nothing: it only brings
// values up to date. So at the end of a turn that answered, what is there is that turn's, even if no event said so because
// it shows the same as the answer before.
//
// Invariant: a turn in `byTurn` has at least one display.

/** @typedef {import('./contract.js').Control} Control */
/** @typedef {import('./contract.js').Machine} Machine */

/** @typedef {object} Shown
 * @property {Control[]} controls  all that is on the screen, from the last event
 * @property {Machine[]} machines
 * @property {string} owner        the turn that the answer's displays on the screen belong to; empty where that isn't known
 * @property {string} turn         the turn in progress, unless it is a machine's step
 * @property {string} before       the answer's displays when that began, written down
 * @property {string} ownerBefore
 * @property {Record<string, Control[]>} byTurn  each turn's displays */

/** Turns whose displays are kept here; the page keeps what it has drawn. */
const TURNS_MAX = 100;
const STEP = /^machine/;

/** @type {Shown} */
export const nothingShown = { controls: [], machines: [], owner: '', turn: '', before: '[]', ownerBefore: '', byTurn: {} };

/** What is shown when the page comes to a conversation. @param {Control[]} controls @param {Machine[]} machines @param {import('./contract.js').Trace[]} traces */
export function shownAt(controls, machines, traces) {
  const answered = traces.findLast(({ status, path }) => status === 'done' && !STEP.test(path));
  return kept({ ...nothingShown, controls, machines, owner: answered?.id ?? '' });
}

/** @param {Shown} shown @param {any} event @returns {Shown} */
export function shownAfter(shown, event) {
  switch (event.event) {
    case 'turn_started':
      return { ...shown, turn: event.entry === 'machine' ? '' : event.turn, before: written(own(shown)), ownerBefore: shown.owner };
    case 'controls':
      return settled({ ...shown, controls: event.controls }, event.turn);
    case 'machines':
      return settled({ ...shown, machines: event.machines }, event.turn);
    case 'frame_trace':
      return ended(shown, event.trace);
    case 'cleared':
      return nothingShown;
    default:
      return shown;
  }
}

/** Displays of a turn from before the page was there. @param {Shown} shown @param {string} id @param {Control[]} displays @returns {Shown} */
export function found(shown, id, displays) {
  return displays.length > 0 && !(id in shown.byTurn) ? assigned(shown, id, displays) : shown;
}

/** @param {Shown} shown @param {string} turn of the event @returns {Shown} */
function settled(shown, turn) {
  if (!turn || turn !== shown.turn) return kept(shown);
  // A turn may show something before its last step; until then what is there is the last answer's.
  if (written(own(shown)) !== shown.before) return kept({ ...shown, owner: turn });
  return assigned({ ...shown, owner: shown.ownerBefore }, turn, []);
}

/** @param {Shown} shown @param {import('./contract.js').Trace} trace @returns {Shown} */
function ended(shown, { id, status, path }) {
  return status === 'done' && !STEP.test(path) ? kept({ ...shown, owner: id, turn: '' }) : { ...shown, turn: '' };
}

/** @param {Shown} shown @returns {Shown} */
function kept(shown) {
  return shown.owner ? assigned(shown, shown.owner, own(shown)) : shown;
}

/** @param {Shown} shown @param {string} id @param {Control[]} displays @returns {Shown} */
function assigned(shown, id, displays) {
  const others = Object.entries(shown.byTurn).filter(([known]) => known !== id);
  const all = displays.length > 0 ? [...others, [id, displays]] : others;
  return { ...shown, byTurn: Object.fromEntries(all.slice(-TURNS_MAX)) };
}

/** The answer's own displays. @param {Shown} shown */
function own({ controls, machines }) {
  return grouped(controls, machines).flatMap(({ id, controls: all }) => (id ? [] : all.filter(isDisplay)));
}

/** @param {Control} control */
export function isDisplay({ type }) {
  return type !== 'button' && type !== 'approval';
}

/** @param {Control[]} displays */
function written(displays) {
  return JSON.stringify(displays, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}

/** @typedef {{id: string, state: string, controls: Control[]}} ControlGroup  `id` is empty for the answer's own */

/** Takes the machines' parts off the end of the list, whose order is theirs.
 * @param {Control[]} all @param {Machine[]} machines @returns {ControlGroup[]} */
export function grouped(all, machines) {
  const controls = all.filter(({ type }) => type !== 'approval');
  let end = controls.length;
  /** @type {ControlGroup[]} */
  const groups = [];
  for (const machine of machines.toReversed()) {
    const state = machine.states?.find?.(({ name }) => name === machine.current);
    const size = (state?.buttons?.length ?? 0) + (state?.content?.length ?? 0);
    groups.unshift({ id: machine.id, state: machine.current, controls: controls.slice(Math.max(0, end - size), Math.max(0, end)) });
    end -= size;
  }
  groups.unshift({ id: '', state: '', controls: controls.slice(0, Math.max(0, end)) });
  return groups.filter((group) => group.controls.length > 0);
}
