// The rules by which the server's events become turns, on the module itself: it is pure and needs no page.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../static/conversation.js', import.meta.url), 'utf8');
const conversation = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const { after, begun, continued, explained, refused, remembered, reported, restarted, settled } = conversation;

/** A conversation as a few words: `msg_1 done hello→Hi!`. */
const drawn = (turns) => turns.map(({ id, status, question, answer }) => `${id || '-'} ${status} ${question}→${answer}`);
const asked = (turns, ...questions) => questions.reduce((known, question) => begun(known, { question, status: 'waiting' }), turns);
const said = (id, content, seq) => ({ type: 'delta', id, content, seq });
const done = (id, further = {}) => ({ type: 'done', id, ...further });
const played = (turns, ...events) => events.reduce(after, turns);

test('what was asked first is answered first', () => {
  const turns = played(asked([], 'one', 'two'), said('msg_1', 'A'), said('msg_1', 'B'), done('msg_1'), said('msg_2', 'C'));
  assert.deepEqual(drawn(turns), ['msg_1 done one→AB', 'msg_2 running two→C']);
});

test('a turn that was begun elsewhere comes before what waits, and learns its question', () => {
  const turns = played(remembered([]), said('msg_1', 'A'));
  assert.deepEqual(drawn(explained(turns, { id: 'msg_1', message: 'hello' })), ['msg_1 running hello→A']);
});

test('a turn that was taken for ours and is not goes back to waiting', () => {
  const turns = played(asked([], 'ours'), said('msg_1', 'A'), done('msg_1'));
  assert.deepEqual(drawn(explained(turns, { id: 'msg_1', message: 'theirs' })), ['msg_1 done theirs→A', '- waiting ours→']);
  assert.deepEqual(drawn(explained(turns, { id: 'msg_1', message: 'ours' })), ['msg_1 done ours→A']);
  assert.deepEqual(drawn(explained(turns, { id: 'msg_1', message: 'ou…' })), ['msg_1 done ours→A'], 'cut by the server');
});

test('an ending says how', () => {
  for (const [further, status] of [[{}, 'done'], [{ cancelled: true }, 'stopped'], [{ error: 'Too long.' }, 'failed']]) {
    assert.deepEqual(drawn(played(asked([], 'q'), said('msg_1', 'A'), done('msg_1', further))), [`msg_1 ${status} q→A`]);
  }
});

test('the history comes back as turns; a question alone is still running', () => {
  const message = (role, content, id, partial) => ({ role, content, id, partial });
  const turns = remembered([
    message('user', 'a', 'msg_1'),
    message('assistant', 'A', 'msg_1'),
    message('user', 'b', 'msg_2'),
    message('assistant', 'B', 'msg_2', true),
    message('user', 'c', 'msg_3', true),
    message('user', 'd', 'msg_4'),
  ]);
  assert.deepEqual(drawn(turns), ['msg_1 done a→A', 'msg_2 partial b→B', 'msg_3 partial c→', 'msg_4 running d→']);
});

test('buttons come back as buttons, steps of a machine out of their traces, and what was told while working', () => {
  const history = [
    { role: 'user', content: 'make a lamp', id: 'msg_3' },
    { role: 'assistant', content: 'Here.', id: 'msg_3', progress: 'Thinking.' },
    { role: 'user', content: 'Ask', id: 'msg_5' },
    { role: 'assistant', content: 'Yes.', id: 'msg_5' },
  ];
  const trace = (id, message, path) => ({ id, message, path, status: 'done' });
  const traces = [trace('msg_2', 'Before', 'machine'), trace('msg_3', 'make a lamp', 'director'), trace('msg_4', 'On', 'machine'), trace('msg_5', 'Ask', 'action')];
  const turns = remembered(history, [], traces);
  assert.deepEqual(drawn(turns), ['msg_3 done make a lamp→Here.', 'msg_4 done On→', 'msg_5 done Ask→Yes.']);
  assert.deepEqual(turns.map(({ kind, progress }) => `${kind} ${progress}`), ['message Thinking.', 'action ', 'action ']);
  assert.deepEqual(remembered(history, turns, traces).map(({ key }) => key), turns.map(({ key }) => key), 'each is still the same');
  assert.deepEqual(remembered([], turns, traces), [], 'nothing of a conversation that was cleared');
});

test('what waited across a reload is not shown twice, and the same words twice are two messages', () => {
  const history = remembered([{ role: 'user', content: 'again', id: 'msg_4' }, { role: 'user', content: 'again', id: 'msg_5' }]);
  const pending = (after) => ({ question: 'again', status: 'waiting', after });
  assert.equal(continued(history, [pending(3), pending(3)]).length, 2);
  assert.equal(continued(history, [pending(4), pending(4)]).length, 3);
  assert.equal(continued(history, [pending(5)]).length, 3);
  assert.equal(continued(history, [{ question: 'again', status: 'unsent' }]).length, 3, 'what was never sent cannot have arrived');
});

test('a refusal takes back what was sent last', () => {
  const { turns, refused: back } = refused(asked([], 'one', 'two'));
  assert.deepEqual([drawn(turns), back.question], [['- waiting one→'], 'two']);
});

test('when the server says that nothing runs, what ran is over and what waited is lost', () => {
  const turns = played(asked([], 'one', 'two'), said('msg_1', 'A'));
  const keys = new Set(turns.map(({ key }) => key));
  const later = asked(turns, 'three');
  const given = settled(later, keys);
  assert.deepEqual(drawn(given), ['msg_1 done one→A', '- lost two→', '- waiting three→']);
  const late = played(given, said('msg_3', 'C'), said('msg_2', 'B'));
  assert.deepEqual(drawn(late), ['msg_1 done one→A', 'msg_2 running two→B', 'msg_3 running three→C'], 'unless it comes after all');
});

test('what the server reports of a running turn is the whole answer so far, however often it is told', () => {
  const running = (partial) => ({ status: 'running', id: 'msg_1', text: 'one', partial });
  const turns = ['A', 'AB', 'AB', 'ABC'].map(running).reduce(reported, asked([], 'one', 'two'));
  assert.deepEqual(drawn(turns), ['msg_1 running one→ABC', '- waiting two→']);
  assert.deepEqual(drawn(reported([], running('A'))), ['msg_1 running one→A'], 'begun elsewhere');
  const ended = played(turns, done('msg_1'));
  assert.equal(reported(ended, running('A')), ended, 'a report that comes late changes nothing');
});

test('a report of a failure says why an answer broke off', () => {
  const turns = remembered([{ role: 'user', content: 'a', id: 'msg_1', partial: true }]);
  assert.deepEqual(drawn(reported(turns, { status: 'error', id: 'msg_1', detail: 'Too long.' })), ['msg_1 failed a→']);
});

test('what runs can be told again from its beginning; what has ended stays', () => {
  const turns = played(asked([], 'one', 'two'), said('msg_1', 'A'), done('msg_1'), said('msg_2', 'B'));
  assert.deepEqual(drawn(restarted(turns)), ['msg_1 done one→A', 'msg_2 running two→']);
});

test('read anew, a turn keeps its place on the page and why it ended', () => {
  const stopped = played(asked([], 'one'), said('msg_1', 'A'), done('msg_1', { cancelled: true }));
  const history = [{ role: 'user', content: 'one', id: 'msg_1' }, { role: 'assistant', content: 'A', id: 'msg_1', partial: true }];
  const [turn] = remembered(history, stopped);
  assert.deepEqual([turn.key, turn.status], [stopped[0].key, 'stopped']);
});

test('a clear forgets all but what was never sent', () => {
  const turns = begun(asked([], 'one'), { question: 'two', status: 'unsent' });
  assert.deepEqual(drawn(after(turns, { type: 'cleared' })), ['- unsent two→']);
});
