// Logging in and out, in a real browser, at a real issuer with the paths and claims of Zitadel.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { becomes, phone } from './stage.mjs';
import { SignedStage, eventSockets } from './signed.mjs';
import { Nginx } from './nginx.mjs';

const stage = new SignedStage({ refreshes: true, isTerse: true }, { wordPause: 5 });
before(() => stage.open());
after(() => stage.close());

/** Changes how the issuer is for one test. */
async function withIssuer(changes, play) {
  const { issuer } = stage;
  const before = Object.fromEntries(Object.keys(changes).map((name) => [name, issuer[name]]));
  Object.assign(issuer, changes);
  try {
    return await play(issuer);
  } finally {
    Object.assign(issuer, before);
  }
}

test('a user logs in, is named, reloads, and logs out', () => {
  const addresses = [];
  const prepare = (page) => page.on('request', (request) => addresses.push(request.url()));
  return stage.visit({ prepare }, async (user, page) => {
    const sockets = eventSockets(page);
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    await user.visitor.picture('log-in');
    await user.visitor.finds('log-in');
    await page.evaluate(() => (location.hash = '#/state'));
    await user.logIn('ada');
    assert.equal(page.url(), user.visitor.url('#/state'), 'back where the user was, and nothing of the log-in is in the address');
    assert.equal(await user.name(), 'Ada Lovelace');
    await user.visitor.ask('hello');
    assert.deepEqual(await user.questions(), ['hello']);
    await becomes(async () => (await user.read(`/api/state?session=${user.visitor.session}`)).memorizer.user_name, 'Ada Lovelace');

    const asked = stage.issuer.seen.length;
    await user.visitor.reload();
    await user.isIn();
    await user.seesQuestions(['hello']);
    assert.equal(stage.issuer.seen.length, asked, 'a reload keeps the log-in');

    const { access, refresh } = await user.kept();
    assert.ok(access && refresh);
    for (const address of [...addresses, ...sockets.map(({ url }) => url)]) {
      assert.ok(!address.includes(access.slice(-40)) && !address.includes(refresh), `no token is in ${address}`);
      assert.ok(!/id_token_hint|access_token/.test(address), address);
    }

    await page.locator('.you').click();
    const sheet = page.locator('#about-you');
    await sheet.getByText('ada@acme.example').waitFor();
    await sheet.getByText(new URL(stage.issuer.url).host).waitFor();
    await sheet.getByText(user.visitor.session).waitFor();
    await user.visitor.picture('account');
    await user.visitor.finds('account');
    await sheet.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: /Yes, sign me out/ }).click();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    assert.ok(stage.issuer.seen.includes('revoke'));
    assert.equal(await user.kept(), null);
    await page.reload();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    assert.equal(await page.locator('.composer').count(), 0);
    assert.equal(await page.locator('.failure').count(), 0, 'nothing went wrong');
    const again = await fetch(`${stage.issuer.url}/oauth/v2/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', client_id: '248612345678901234', refresh_token: refresh }),
    });
    assert.equal(again.status, 400, 'what was given is taken back');
  });
});

test('a new tab needs no click while the issuer knows the user; logging out ends every tab', () =>
  stage.visit({}, async (user, page) => {
    await user.logIn('ada');
    const other = await page.context().newPage();
    await other.goto(user.visitor.url());
    await other.locator('.you').waitFor();
    const seen = stage.issuer.seen.length;
    await page.locator('.you').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await other.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    await page.getByRole('button', { name: /Yes, sign me out/ }).click();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    await becomes(() => stage.issuer.seen.slice(seen), ['revoke', 'revoke'], 'each tab takes its own back');
    const third = await page.context().newPage();
    await third.goto(user.visitor.url());
    await third.getByRole('button', { name: 'Log in', exact: true }).waitFor();
  }));

test('logging out reaches a tab that was not running', () =>
  stage.visit({ tolerates: /Failed to load|WebSocket/ }, async (user, page) => {
    await user.logIn('ada');
    const kept = await page.evaluate(() => ({ ...sessionStorage, 'framewright:pending:ada:x': '[]' }));
    const cookies = await page.context().cookies();
    await page.locator('.you').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: /Yes, sign me out/ }).click();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    // Even where the issuer still knows the user.
    await page.context().addCookies(cookies);
    const seen = stage.issuer.seen.length;
    const restored = await page.context().newPage();
    await restored.addInitScript((all) => sessionStorage.length === 0 && Object.assign(sessionStorage, all), kept);
    await restored.goto(user.visitor.url());
    await restored.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    assert.deepEqual(await restored.evaluate(() => Object.keys(sessionStorage)), []);
    await becomes(() => stage.issuer.seen.slice(seen), ['revoke']);
    // A new log-in counts.
    await user.logIn('ada');
    await user.visitor.reload();
    await user.isIn();
  }));

test('nothing can be written before it is known who is here', () => {
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  const prepare = (page) => page.route('**/auth/config', (route) => held.then(() => route.continue()));
  return stage.visit({ prepare }, async (user, page) => {
    await page.locator('#message:read-only:focus').waitFor();
    await page.keyboard.type('hello');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#message').inputValue(), '');
    assert.equal(await page.locator('.turn').count(), 0);
    answer();
    await user.logIn('ada');
    await page.locator('#message:read-write').fill('hello');
  });
});

test('whoever logs out leaves no unsent message behind', () =>
  stage.visit({ tolerates: /Failed to load|WebSocket|net::ERR/ }, async (user, page) => {
    await user.logIn('ada');
    let fail;
    const held = new Promise((resolve) => (fail = resolve));
    await page.route(/\/api\/send/, (route) => held.then(() => route.abort()).catch(() => {}));
    await user.visitor.say('a secret of Ada');
    await page.locator('.turn').waitFor();
    await becomes(() => page.evaluate(() => Object.keys(sessionStorage).filter((name) => name.includes('pending')).length), 1);
    // The page stays for a while.
    await page.route(`${stage.issuer.url}/oauth/v2/revoke`, () => {});
    await page.locator('.you').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    fail();
    await page.getByRole('button', { name: /Yes, sign me out/ }).waitFor();
    await page.goto(user.visitor.url());
    const left = await page.evaluate(() => [...Object.keys(sessionStorage), ...Object.keys(localStorage)].filter((name) => /pending|draft/.test(name)));
    assert.deepEqual(left, []);
  }));

test('who is at the issuer no more gets the log-in, without a fright', () =>
  stage.visit({}, async (user, page) => {
    await user.logIn('ada');
    await page.context().clearCookies();
    const other = await page.context().newPage();
    await other.goto(user.visitor.url());
    await other.getByRole('button', { name: 'Log in', exact: true }).waitFor();
    await becomes(() => other.url(), user.visitor.url());
    assert.equal(await other.locator('.failure').count(), 0);
  }));

test('whoever declines, or may not, is told what to do, and can use another account', () =>
  stage.visit(phone, async (user, page) => {
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByText('[ Cancel ]').click();
    await user.reads('The log-in was refused: End-User aborted interaction. If you cancelled it, log in again.');
    assert.equal(page.url(), user.visitor.url());
    await withIssuer({ denies: 'mallory has no role in this project' }, async () => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await page.locator('input[name=login]').fill('mallory');
      await page.locator('input[name=password]').fill('x');
      await page.getByRole('button', { name: 'Sign-in' }).click();
      await user.reads('mallory has no role in this project. If you cancelled it, log in again. Otherwise ask the operator');
    });
    await user.visitor.picture('phone-log-in-refused');
    await user.visitor.finds('a refused log-in');
    await becomes(() => page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
    await page.getByRole('button', { name: 'Use another account' }).click();
    await user.identifies('eve');
    await user.isIn();
    await page.locator('.you').click();
    await page.locator('#about-you', { hasText: 'Eve Lovelace' }).waitFor();
    await user.visitor.picture('phone-account');
    await user.visitor.finds('account on a phone');
  }));

test('an issuer that is away is named, and the log-in works once it is back', () =>
  stage.visit({ tolerates: /Failed to load|net::ERR/ }, async (user, page) => {
    await withIssuer({ mode: 'away' }, async () => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.reads(`The issuer ${new URL(stage.issuer.url).host} can’t be reached`);
    });
    await user.logIn('ada');
  }));

test('opaque tokens: the page says what to switch on', () =>
  withIssuer({ isOpaque: true }, () =>
    stage.visit({}, async (user, page) => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.identifies('ada');
      await user.reads('set Auth Token Type to JWT');
    })));

for (const [what, change, sentence] of [
  ['state', (query) => query.set('state', 'forged'), 'was not started in this tab'],
  ['nonce', (query) => query.set('nonce', 'forged'), 'does not belong to this log-in'],
  ['PKCE', (query) => query.set('code_challenge', 'Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2VkZm8'), 'The issuer has ended this log-in'],
]) {
  test(`an answer to a question that was changed on its way is refused: ${what}`, () => {
    const prepare = (page) =>
      page.route(`${stage.issuer.url}/oauth/v2/authorize?*`, (route) => {
        const url = new URL(route.request().url());
        change(url.searchParams);
        return route.continue({ url: url.href });
      });
    return stage.visit({ prepare, tolerates: /status of 400/ }, async (user, page) => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.identifies('ada');
      await user.reads(sentence);
      assert.equal(await user.kept(), null);
      assert.ok(!/code=|state=/.test(page.url()), page.url());
    });
  });
}

test('an answer that names another issuer is refused', () =>
  withIssuer({ tampers: (address) => address.replace(/([?&]iss=)[^&]+/, '$1https%3A%2F%2Fevil.example') }, () =>
    stage.visit({}, async (user, page) => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.identifies('ada');
      await user.reads('does not belong to this log-in');
      assert.equal(await user.kept(), null);
    })));

test('a link with somebody else\'s answer logs nobody in', () =>
  stage.visit({}, async (user, page) => {
    await page.goto(`${stage.address}/?code=stolen&state=guessed`);
    await user.reads('was not started in this tab');
    assert.equal(page.url(), `${stage.address}/`);
    await user.logIn('ada');
    // Who is logged in stays so.
    await page.goto(`${stage.address}/?code=stolen&state=guessed`);
    await user.isIn();
    assert.equal(page.url(), `${stage.address}/`);
  }));

test('two users in two browsers never see one another, at the same address', () =>
  stage.visit({}, (ada, page) =>
    stage.visit({}, async (eve, other) => {
      await ada.logIn('ada');
      await ada.visitor.ask('hello, my name is pelican');
      await other.goto(page.url());
      await eve.logIn('eve');
      assert.equal(other.url(), page.url());
      await other.locator('.invitation').waitFor();
      await eve.visitor.ask('what did I say before?');
      assert.ok(!(await other.locator('body').innerText()).includes('pelican'));
      await ada.seesQuestions(['hello, my name is pelican']);
      // Without a name in the address, each has the conversation that follows them everywhere.
      for (const [user, at] of [[ada, page], [eve, other]]) {
        await at.goto(stage.address);
        await user.isIn();
        await user.visitor.ask(`hello from ${await user.name()}`);
        assert.equal(at.url(), `${stage.address}/`);
      }
      assert.deepEqual(await ada.questions('default'), ['hello from Ada Lovelace']);
      assert.deepEqual(await eve.questions('default'), ['hello from Eve Lovelace']);
    })));

test('what one user leaves unsent is not the next one\'s, in the same browser', () =>
  stage.visit({ tolerates: /Failed to load|WebSocket/ }, async (user, page) => {
    await user.logIn('ada');
    await page.locator('#message').fill('a secret of Ada');
    // Someone else logs in, and Ada has not logged out.
    await page.evaluate(() => sessionStorage.removeItem('framewright:log-in'));
    await page.context().clearCookies();
    await page.reload();
    await user.logIn('eve');
    assert.equal(await page.locator('#message').inputValue(), '');
    await page.evaluate(() => sessionStorage.removeItem('framewright:log-in'));
    await page.context().clearCookies();
    await page.reload();
    await user.logIn('ada');
    await becomes(() => page.locator('#message').inputValue(), 'a secret of Ada', 'it is still hers');
    await page.locator('.you').click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('button', { name: /Yes, sign me out/ }).waitFor();
    await page.goto(user.visitor.url());
    const left = await page.evaluate(() => Object.keys(localStorage).filter((name) => name.includes('draft')));
    assert.deepEqual(left, [], 'who logs out leaves nothing behind');
  }));

for (const hours of [-3, 3]) {
  test(`a machine whose clock is ${hours} h off can log in`, () => {
    const prepare = (page) =>
      page.addInitScript((off) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + off;
      }, hours * 3_600_000);
    return stage.visit({ prepare }, async (user, page) => {
      await user.logIn('ada');
      await user.visitor.ask('hello');
      assert.equal(await page.locator('.notice').count(), 0);
      const { startedAt, endsAt } = await user.kept();
      assert.ok(Math.abs(endsAt - startedAt - 3_600_000) < 60_000);
    });
  });
}

test('an issuer whose clock is ahead: the page shows why the server takes no token yet', () =>
  withIssuer({ skew: 600 }, () =>
    stage.visit({ tolerates: /status of 401/ }, async (user, page) => {
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.identifies('ada');
      await user.reads('The server refuses this log-in: the token is not valid yet: check the clocks of the issuer and of this server.');
      assert.equal(await page.locator('.composer').count(), 0);
    })));

test('an issuer whose clock is behind gives tokens that have ended: the page says so and asks no more', () =>
  withIssuer({ skew: -7200 }, (issuer) =>
    stage.visit({}, async (user, page) => {
      const seen = issuer.seen.length;
      await page.getByRole('button', { name: 'Log in', exact: true }).click();
      await user.identifies('ada');
      await user.reads('The clocks of the issuer and of this server differ.');
      // Longer than the page ever waits before it tries something again for the first time.
      await page.waitForTimeout(4000);
      assert.deepEqual(issuer.seen.slice(seen), ['authorize', 'token']);
    })));

test('behind nginx users log in as without', async () => {
  const nginx = new Nginx(stage.address, 'friendly');
  try {
    await nginx.open();
    stage.issuer.allow(nginx.address);
    await stage.visit({ through: nginx.address }, async (user, page) => {
      await user.logIn('ada');
      await user.visitor.connectedBy('open');
      await user.visitor.ask('hello');
      await user.visitor.reload();
      await user.seesQuestions(['hello']);
      assert.equal(page.url(), user.visitor.url());
    });
  } finally {
    await nginx.close();
  }
});

test('the page says so where a server lets in only programs', async () => {
  const { Stage } = await import('./stage.mjs');
  const programs = new Stage({ flags: ['--auth-header', 'X-Remote-User', '--trusted-proxy', '10.0.0.1'] });
  try {
    await programs.open();
    await programs.visit({ isConnecting: false, tolerates: /status of 401/ }, async (_visitor, page) => {
      await page.locator('.notice', { hasText: 'Nobody can log in on this page' }).waitFor();
    });
  } finally {
    await programs.close();
  }
});
