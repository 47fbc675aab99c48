// The socket is cut again and again at random moments of answers: the page shows the history, never doubled, never short.
//
// The cuts are drawn from a seed: `SEED=7 npm test` draws others.

import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { behind, nothingIsLost } from './behind.mjs';
import { Proxy } from './proxy.mjs';
import { Stage, becomes, dice } from './stage.mjs';

const CUTS = 100;
const SEED = Number(process.env.SEED ?? 1);

const stage = new Stage({ wordPause: 40 });
before(() => stage.open());
after(() => stage.close());

test(`${CUTS} cuts at random moments of answers`, (context) =>
  behind(stage, new Proxy(stage.address), {}, async (visitor, page, proxy) => {
    const random = dice(SEED);
    let cuts = 0;
    let answers = 0;
    while (cuts < CUTS) {
      await visitor.connectedBy('open');
      await visitor.say('tell me a long story');
      await page.locator('.turn').nth(answers).locator('.answer').waitFor();
      for (;;) {
        await pause(10 + random() * 350);
        if (cuts === CUTS || (await visitor.read('/api/result')).status !== 'running') break;
        // Mostly the socket alone; sometimes whatever is open.
        const pairs = random() < 0.2 ? undefined : proxy.sockets();
        const wasOpen = proxy.sockets().length > 0;
        proxy.cut(random() < 0.5 ? 'reset' : 'end', pairs);
        if (wasOpen) cuts += 1;
      }
      const turn = page.locator('.turn').nth(answers);
      await visitor.ended(turn);
      await becomes(() => turn.getAttribute('data-status'), 'done');
      await visitor.showsTheHistory();
      answers += 1;
    }
    await nothingIsLost(visitor, page);
    context.diagnostic(`cuts survived: ${cuts}, in ${answers} answers, seed ${SEED}`);
    console.log(`cuts survived: ${cuts}`);
  }));
