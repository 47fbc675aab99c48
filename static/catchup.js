// Catching up without a socket: asks what the last turn came to and whether anything else changed, and hands on what is new.
//
// Asking twice changes nothing: the answer so far comes whole, and whatever has ended is read from the history.

import { read } from './api.js';

/**
 * @param {object} wiring
 * @param {() => boolean} wiring.isWanted false once a socket has taken over: what comes too late is dropped
 * @param {() => boolean} wiring.isOutdated whether the page must be read anew whatever changed
 * @param {() => Promise<void>} wiring.reload reads everything anew
 * @param {(result: any, isNews: boolean) => void} wiring.report what the last turn came to
 * @returns {() => Promise<boolean>} whether anything changed since the last time
 */
export function catchingUp({ isWanted, isOutdated, reload, report }) {
  let hash = 'none';
  let last = '';
  let length = 0;

  return async () => {
    const [result, poll] = await Promise.all([read('/api/result'), read('/api/poll', { since: hash })]);
    if (!isWanted()) return false;
    const mark = `${result.id} ${result.status}`;
    const hasGrown = length !== (result.partial ?? '').length;
    const isNews = poll.changed || mark !== last;
    if (isNews || isOutdated()) await reload();
    [hash, last, length] = [poll.hash, mark, (result.partial ?? '').length];
    if (isWanted()) report(result, isNews);
    return isNews || hasGrown;
  };
}
