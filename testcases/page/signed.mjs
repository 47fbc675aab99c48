// A stage whose server signs users in, with a real issuer on this machine, and what a user does there.

import assert from 'node:assert/strict';
import { CLIENT, Issuer, PROJECT } from '../sign_in/issuer.mjs';
import { Stage, becomes } from './stage.mjs';

export class SignedStage extends Stage {
  /** @param {object} issuer options of the issuer @param {object} [options] of the stage */
  constructor(issuer = {}, { flags = [], ...options } = {}) {
    super({ flags, ...options });
    this.issuerOptions = issuer;
  }

  async open() {
    this.issuer = await new Issuer(this.issuerOptions).open();
    this.flags = [...this.flags, '--oidc-issuer', this.issuer.url, '--oidc-client-id', CLIENT, '--oidc-project-id', PROJECT];
    await super.open();
    this.issuer.allow(this.address);
  }

  async close() {
    await super.close();
    await this.issuer.close();
  }

  /** What the issuer's own pages load and do is no complaint of ours. */
  async visit({ tolerates, prepare, ...options }, scene) {
    const issuers = (complaint) => complaint.includes(this.issuer.url) || /fonts\.googleapis/.test(complaint);
    const isExpected = (complaint) => issuers(complaint) || tolerates?.test(complaint);
    const ready = async (page) => {
      await page.context().route(/fonts\.googleapis/, (route) => route.fulfill({ contentType: 'text/css', body: '' }));
      await prepare?.(page);
    };
    return super.visit({ isConnecting: false, ...options, prepare: ready, tolerates: { test: isExpected } }, (visitor, page) => scene(new User(visitor), page));
  }
}

/** Somebody who logs in. */
export class User {
  constructor(visitor) {
    this.visitor = visitor;
    this.page = visitor.page;
  }

  async logIn(name) {
    await this.page.getByRole('button', { name: 'Log in', exact: true }).click();
    await this.identifies(name);
    await this.isIn();
  }

  identifies(name) {
    return identifies(this.page, name);
  }

  /** The page is here again, and shows what it has read. */
  async isIn() {
    await this.page.locator('.you').waitFor();
    await this.visitor.connected();
  }

  /** A sentence stands where the user sees it. */
  async reads(sentence) {
    await this.page.locator('.failure, .notice', { hasText: sentence }).first().waitFor();
  }

  async name() {
    return (await this.page.locator('.you > span').innerText()).replace(/^Account of\s+/, '').trim();
  }

  /** What the tab keeps of the log-in. */
  async kept() {
    return JSON.parse((await this.page.evaluate(() => sessionStorage.getItem('framewright:log-in'))) ?? 'null');
  }

  /** Asks the server directly, with the page's own token. */
  async read(path) {
    const url = new URL(path, this.visitor.address);
    const { access } = await this.kept();
    const answer = await fetch(url, { headers: { authorization: `Bearer ${access}` } });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  }

  async questions(session = this.visitor.session) {
    const { messages } = await this.read(`/api/history?last=200&session=${session}`);
    return messages.filter(({ role }) => role === 'user').map(({ content }) => content);
  }

  /** The page shows the history to the letter. */
  async seesQuestions(expected) {
    await becomes(() => this.page.locator('.question').evaluateAll((all) => all.map(({ lastChild }) => lastChild.textContent)), expected);
  }
}

/** Says at the issuer who somebody is, and agrees to what the page wants to know. */
export async function identifies(page, name) {
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('x');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

/** The sockets that a page opens for its session's events, with what it sends on each. @param {import('playwright-core').Page} page */
export function eventSockets(page) {
  const sockets = [];
  page.on('websocket', (socket) => {
    if (!socket.url().includes('/ws/trace')) return;
    const known = { url: socket.url(), sent: [], isClosed: false };
    sockets.push(known);
    socket.on('framesent', ({ payload }) => known.sent.push(JSON.parse(payload)));
    socket.on('close', () => (known.isClosed = true));
  });
  return sockets;
}
