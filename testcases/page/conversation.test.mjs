// The rules by which the server's events become turns, on the module itself: it is pure and needs no page.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../static/conversation.js', import.meta.url), 'utf8');
const conversation = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const { acknowledged, after, begun, continued, erased, held, last, remembered, withdrawn } = conversation;

/** A conversation in a few words: `msg_1 done hello→Hi!`. */
const drawn = (turns) => turns.map(({ id, status, question, answer, isGone, isQueued }) => `${id || '-'} ${isGone ? 'gone ' : ''}${isQueued ? 'queued' : status} ${question}→${answer}`);
/** Pending turns, each named `c-<question>`. */
const asked = (turns, ...questions) => questions.reduce((known, question) => begun(known, { question, clientId: `c-${question}`, status: 'sent' }), turns);
const started = (turn, message, clientId = `c-${message}`, entry = 'message') => ({ event: 'turn_started', turn, frame: 0, message, client_id: clientId, entry });
const said = (turn, text, frame = 1) => ({ event: 'streaming', turn, frame, text });
const ended = (turn, further = {}) => ({ event: 'frame_trace', turn, frame: 1, trace: { id: turn, message: 'q', path: 'reflex', status: 'done', ...further } });
const played = (turns, ...events) => events.reduce(after, turns);

test('a turn belongs to the message with its client id, in whatever order they start', () => {
  const turns = played(asked([], 'one', 'two'), started('msg_1', 'two'), said('msg_1', 'A'), ended('msg_1'), started('msg_2', 'one'), said('msg_2', 'B'));
  assert.deepEqual(drawn(turns), ['msg_2 running one→B', 'msg_1 done two→A']);
});

test('a turn that somebody else started comes before what is pending, with its question', () => {
  const turns = played(asked([], 'ours'), started('msg_1', 'theirs', undefined), said('msg_1', 'A'));
  assert.deepEqual(drawn(turns), ['msg_1 running theirs→A', '- sent ours→']);
  const action = played([], started('msg_1', 'Red', undefined, 'action'));
  assert.deepEqual([action[0].kind, action[0].question], ['action', 'Red']);
});

test('a turn that ends before it starts is shown as it ended', () => {
  const turns = played(asked([], 'ours'), ended('msg_1', { status: 'cancelled', client_id: 'c-ours' }), ended('msg_2', { status: 'cancelled', message: 'theirs' }));
  assert.deepEqual(drawn(turns), ['msg_1 stopped ours→', 'msg_2 stopped theirs→']);
});

test('the acknowledgement and the start of a turn may come in either order, and more than once', () => {
  const one = acknowledged(asked([], 'q'), 'c-q', 'msg_1', 0);
  assert.deepEqual(drawn(one), ['msg_1 running q→']);
  const other = acknowledged(played(asked([], 'q'), started('msg_1', 'q'), said('msg_1', 'A'), ended('msg_1')), 'c-q', 'msg_1', 1);
  assert.deepEqual(drawn(other), ['msg_1 done q→A']);
  assert.equal(acknowledged(other, 'c-q', 'msg_1', 1), other);
  assert.deepEqual(drawn(played(one, started('msg_1', 'q'), said('msg_1', 'A'))), ['msg_1 running q→A']);
});

test('an acknowledgement that names a turn from before the last one: its turn was forgotten, and the message stays to be read', () => {
  const forgotten = acknowledged(asked([], 'q', 'later'), 'c-q', 'msg_3', 5);
  assert.deepEqual(drawn(forgotten), ['- gone partial q→', '- sent later→']);
  assert.deepEqual(drawn(played(forgotten, started('msg_3', 'q'))), ['msg_3 running q→', '- sent later→'], 'unless it starts all the same');
});

test('a message is queued only while another turn runs before it', () => {
  const first = acknowledged(asked([], 'one', 'two'), 'c-one', 'msg_1', 0);
  const both = acknowledged(first, 'c-two', 'msg_2', 1);
  assert.deepEqual(drawn(both), ['msg_1 running one→', 'msg_2 queued two→']);
  assert.deepEqual(drawn(played(both, ended('msg_1'), started('msg_2', 'two'))), ['msg_1 done one→', 'msg_2 running two→']);
  assert.deepEqual(drawn(played(both, ended('msg_2', { status: 'cancelled' }))), ['msg_1 running one→', 'msg_2 stopped two→']);
});

test('rows that queries returned are counted, those of descriptions are not', () => {
  const result = (tool, rows) => ({ event: 'tool_result', turn: 'msg_1', frame: 3, tool, ok: true, rows });
  const turns = played(asked([], 'q'), started('msg_1', 'q'), result('describe', 7), result('query', 12), result('query', 3), result('query', undefined));
  assert.equal(turns[0].rows, 15);
});

test('a retold answer replaces the text before, and more may follow', () => {
  const retold = { event: 'retold', turn: 'msg_1', frame: 1, text: 'A' };
  const turns = played(asked([], 'q'), started('msg_1', 'q'), said('msg_1', 'Hm</think>A'), retold, said('msg_1', 'B'), ended('msg_1'));
  assert.deepEqual(drawn(turns), ['msg_1 done q→AB']);
});

test('an ending says how', () => {
  const failure = { event: 'error', turn: 'msg_1', frame: 1, detail: 'Too long.' };
  for (const [status, shown, error] of [['done', 'done'], ['cancelled', 'stopped'], ['error', 'failed', 'Too long.']]) {
    const turns = played(asked([], 'q'), started('msg_1', 'q'), said('msg_1', 'A'), failure, ended('msg_1', { status }));
    assert.deepEqual([drawn(turns), turns[0].error], [[`msg_1 ${shown} q→A`], error]);
  }
});

test('what runs behind an answer changes nothing, and progress is not part of the answer', () => {
  const thought = (detail, further) => ({ event: 'thinking', turn: 'msg_1', frame: 1, detail, ...further });
  const turns = played(asked([], 'q'), started('msg_1', 'q'), thought('No tools.'), thought('Reading.', { kind: 'progress' }), said('msg_1', 'A'), ended('msg_1'));
  assert.equal(turns[0].progress, 'Reading.');
  assert.equal(played(turns, { event: 'error', turn: 'msg_1', frame: 0, detail: 'x' }, said('msg_1', 'B', 0)), turns);
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

test('buttons come back as buttons, steps of a machine out of their traces, and what was reported while working', () => {
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
  assert.deepEqual(remembered([], [], traces), [], 'nothing of a conversation that was cleared');
});

test('what was pending is kept unless the server knows its client id; the same words twice are two messages', () => {
  const history = remembered([{ role: 'user', content: 'again', id: 'msg_4', client_id: 'a' }]);
  const pending = (clientId) => ({ question: 'again', status: 'unsent', clientId });
  assert.deepEqual(drawn(continued(history, [pending('a'), pending('b')])), ['msg_4 running again→', '- unsent again→']);
  assert.deepEqual(drawn(continued([], [pending('b')], [{ id: 'msg_4', client_id: 'b' }])), [], 'a step of a machine is only in its trace');
  const [kept] = begun([], pending('c'));
  assert.equal(continued(history, [kept])[1], kept, 'a request that is on its way finds its turn again');
});

test('a refused message is taken out, a held one waits, and both only while it is pending', () => {
  const turns = asked([], 'one', 'two');
  assert.deepEqual(drawn(held(turns, 'c-one', { status: 'waiting' })), ['- waiting one→', '- sent two→']);
  assert.deepEqual(drawn(held(turns, 'c-one', undefined)), ['- sent two→']);
  const running = played(turns, started('msg_1', 'one'));
  assert.equal(held(running, 'c-one', undefined), running);
});

test('stopping withdraws what is pending; what reached the server all the same goes on', () => {
  const turns = withdrawn(asked([], 'one'));
  assert.deepEqual(drawn(turns), ['- stopped one→']);
  assert.deepEqual(drawn(played(turns, started('msg_1', 'one'))), ['msg_1 running one→']);
});

test('read again, a turn keeps its place on the page and why it ended', () => {
  const stopped = played(asked([], 'one'), started('msg_1', 'one'), said('msg_1', 'A'), ended('msg_1', { status: 'cancelled' }));
  const history = [{ role: 'user', content: 'one', id: 'msg_1' }, { role: 'assistant', content: 'A', id: 'msg_1', partial: true }];
  const [turn] = remembered(history, stopped);
  assert.deepEqual([turn.key, turn.status], [stopped[0].key, 'stopped']);
});

test('what was replaced leaves, and is a variant of the turn that came in its place', () => {
  const turns = played(asked([], 'one', 'two'), started('msg_1', 'one'), ended('msg_1'), started('msg_2', 'two'), said('msg_2', 'A'), ended('msg_2'));
  const variants = [{ id: 'msg_2', messages: [{ role: 'user', content: 'two', id: 'msg_2' }] }];
  const replaced = { event: 'replaced', turn: 'msg_3', frame: 0, turns: ['msg_2'], variants };
  for (const events of [[started('msg_3', 'two', 'c'), replaced], [replaced, started('msg_3', 'two', 'c')]]) {
    const edited = played(asked(turns, 'later'), ...events);
    assert.deepEqual(drawn(edited), ['msg_1 done one→', 'msg_3 running two→', '- sent later→']);
    assert.equal(edited[1].variants, variants);
    const history = [{ role: 'user', content: 'two', id: 'msg_3', variants }];
    assert.deepEqual(remembered(history, edited).find(({ id }) => id === 'msg_3').variants, variants);
    assert.deepEqual(remembered([{ role: 'user', content: 'two', id: 'msg_3' }], edited).find(({ id }) => id === 'msg_3').variants, []);
  }
});

test('what was withdrawn stays to be read', () => {
  const turns = played(asked([], 'one', 'two'), started('msg_1', 'one'), said('msg_1', 'A'), ended('msg_1', { status: 'cancelled' }));
  assert.deepEqual(drawn(played(turns, { event: 'withdrawn', turn: 'msg_1', frame: 0 })), ['- gone stopped one→A', '- sent two→']);
});

test('the last turn of the history is neither pending nor a step of a machine', () => {
  const turns = played(asked([], 'one', 'two'), started('msg_1', 'one'), said('msg_1', 'A'), ended('msg_1'));
  assert.equal(last(turns).id, 'msg_1');
  const stepped = played(turns, started('msg_2', 'On', undefined, 'machine'), ended('msg_2', { path: 'machine' }));
  assert.equal(last(stepped).id, 'msg_1');
  assert.equal(last([]), undefined);
});

test('a clear leaves what is on the screen, to be read, and what is pending; what the user erases is not there any more', () => {
  const turns = asked(played(asked([], 'one'), started('msg_1', 'one'), said('msg_1', 'A')), 'two');
  const cleared = after(turns, { event: 'cleared', turn: '', frame: 0 });
  assert.deepEqual(drawn(cleared), ['- gone partial one→A', '- sent two→']);
  assert.equal(last(cleared), undefined);
  assert.deepEqual(drawn(erased(cleared, turns)), ['- sent two→'], 'whichever comes first');
  assert.deepEqual(drawn(after(erased(turns, turns), { event: 'cleared', turn: '', frame: 0 })), ['- sent two→']);
  assert.deepEqual(drawn(erased(played(cleared, started('msg_2', 'two'), ended('msg_2')), turns)), [], 'but for what began since');
});

test('what the server no longer has keeps its place and can be read', () => {
  const message = (role, content, id) => ({ role, content, id });
  const turns = played(asked([], 'one', 'two', 'three'), ...['one', 'two', 'three'].flatMap((question, at) => [started(`msg_${at + 1}`, question), said(`msg_${at + 1}`, 'A'), ended(`msg_${at + 1}`)]));
  const without = remembered([message('user', 'one', 'msg_1'), message('assistant', 'A', 'msg_1'), message('user', 'three', 'msg_3'), message('assistant', 'A', 'msg_3')], turns);
  assert.deepEqual(drawn(without), ['msg_1 done one→A', '- gone done two→A', 'msg_3 done three→A']);
  assert.deepEqual(without.map(({ key }) => key), turns.map(({ key }) => key));
  assert.deepEqual(drawn(remembered([], turns)), ['- gone done one→A', '- gone done two→A', '- gone done three→A'], 'all of it');
  const restarted = remembered([message('user', 'other', 'msg_1'), message('assistant', 'B', 'msg_1')], turns);
  assert.deepEqual(drawn(restarted).at(-1), 'msg_1 done other→B', 'a server that lost everything counts from the start');
  assert.deepEqual(drawn(restarted).slice(0, 3), ['- gone done one→A', '- gone done two→A', '- gone done three→A']);
  assert.notEqual(restarted[3].key, turns[0].key);
  assert.deepEqual(drawn(remembered([message('user', 'three', 'msg_3'), message('assistant', 'A', 'msg_3')], turns)), drawn(turns), 'a long history has left its beginning behind');
  const begun = acknowledged(asked(turns, 'four'), 'c-four', 'msg_4', 3);
  assert.deepEqual(drawn(remembered([message('user', 'three', 'msg_3'), message('assistant', 'A', 'msg_3')], begun)), drawn(begun), 'one that has just begun');
  const variants = [{ id: 'msg_2', messages: [] }];
  const replacing = remembered([message('user', 'one', 'msg_1'), { ...message('user', 'zwei', 'msg_4'), variants }, message('assistant', 'B', 'msg_4')], turns.slice(0, 2));
  assert.deepEqual(drawn(replacing), ['msg_1 running one→', 'msg_4 done zwei→B'], 'what was replaced is a variant');
  const stopped = withdrawn(asked(turns, 'five'));
  assert.deepEqual(drawn(remembered([message('user', 'three', 'msg_3'), message('assistant', 'A', 'msg_3')], stopped)).at(-1), '- stopped five→');
});
