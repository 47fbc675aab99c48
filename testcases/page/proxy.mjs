// A small TCP proxy that stands between page and server and does what networks do: cuts, freezes, lets no socket through.

import { connect, createServer } from 'node:net';

/** A piece of what passes. `isSend`: on the connection of a message or action that is waiting for its answer.
 * @typedef {{from: 'page' | 'server', text: string, isSend: boolean}} Piece */

export class Proxy {
  /** @param {string} target the server's address @param {boolean} [takesSockets] */
  constructor(target, takesSockets = true) {
    this.target = new URL(target);
    /** Every pair of connections that is open. */
    this.pairs = new Set();
    this.takesSockets = takesSockets;
    /** Says where to cut: `before` or `after` a piece has passed. @type {(piece: Piece) => 'before' | 'after' | undefined} */
    this.cutAt = () => undefined;
  }

  async open() {
    this.server = createServer((near) => this.join(near));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.address = `http://127.0.0.1:${this.server.address().port}`;
  }

  async close() {
    this.cut('reset');
    await new Promise((resolve) => this.server.close(resolve));
  }

  join(near) {
    const far = connect(Number(this.target.port), this.target.hostname);
    const pair = { near, far, isSocket: false, isSend: false, isFrozen: false };
    this.pairs.add(pair);
    near.once('data', (head) => {
      pair.isSocket = /^upgrade: websocket/im.test(head.toString('latin1'));
      if (pair.isSocket && !this.takesSockets) near.destroy();
    });
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (bytes) => this.pass(pair, from === near ? 'page' : 'server', bytes, to));
      from.on('error', () => {});
      from.on('end', () => pair.isFrozen || to.end());
      from.on('close', () => {
        this.pairs.delete(pair);
        if (!pair.isFrozen) to.destroy();
      });
    }
  }

  /** Hands a piece on, or cuts all connections around it. */
  pass(pair, from, bytes, to) {
    if (pair.isFrozen || to.destroyed) return;
    const text = bytes.toString('latin1');
    if (from === 'page' && !pair.isSocket) pair.isSend = /^POST \/api\/(send|action)\?/m.test(text) || (pair.isSend && !/^(GET|POST) /.test(text));
    const where = this.cutAt({ from, text, isSend: pair.isSend });
    if (where === 'before') this.cut('reset');
    else if (where === 'after') to.write(bytes, () => setTimeout(() => this.cut('end'), 10));
    else to.write(bytes);
  }

  /** The pairs that carry a web socket. */
  sockets() {
    return [...this.pairs].filter(({ isSocket }) => isSocket);
  }

  /** The pairs over which nothing passes. */
  frozen() {
    return [...this.pairs].filter(({ isFrozen }) => isFrozen);
  }

  /** Ends connections, in the middle of whatever they carry. Gives how many.
   * @param {'reset' | 'end'} how @param {object[]} pairs */
  cut(how, pairs = [...this.pairs]) {
    for (const { near, far } of pairs) {
      if (how === 'reset') near.resetAndDestroy();
      else near.destroy();
      far.destroy();
    }
    return pairs.length;
  }

  /** From now on nothing passes over what is open, and nobody is told. New connections work. */
  freeze() {
    for (const pair of this.pairs) pair.isFrozen = true;
  }
}
