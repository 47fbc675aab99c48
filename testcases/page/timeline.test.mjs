// The rules by which trace events become the turn in progress, on the module itself: it is pure and needs no page.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const source = await readFile(new URL('../../static/timeline.js', import.meta.url), 'utf8');
const { after, beginning } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const START = 1_000_000;
/** An event of the first turn: its number, when, in which frame, by whom, and what. */
const said = (seq, at, frame, node, event, further = {}) => ({ seq, at: START + at, turn: 'msg_1', frame, node, event, ...further });
const began = (seq, at, frame, node, pid, kind = 'llm') => said(seq, at, frame, node, 'process_start', { pid, kind, label: node });
const ended = (seq, at, frame, node, pid, duration_ms, further = {}) =>
  said(seq, at, frame, node, 'process_end', { pid, kind: 'llm', label: node, status: 'done', duration_ms, waited_ms: 1, ...further });
const trace = (further = {}) => ({ id: 'msg_1', started_at: START, frames: [], background: [], ...further });

const played = (events) => events.reduce(after, beginning);

/** `1 input 0+60: input 0+60 done | 2 thinker+judge 60: thinker 60 running` */
function drawn({ running }) {
  if (!running) return '';
  const length = ({ duration_ms: ms }) => (ms === undefined ? '' : `+${ms}`);
  const call = (one) => `${one.label} ${one.started_ms}${length(one)} ${one.status}`;
  return running.frames.map((one) => `${one.frame} ${one.nodes.join('+')} ${one.started_ms}${length(one)}: ${one.calls.map(call).join(', ')}`).join(' | ');
}

const TURN = [
  began(1, 0, 1, 'input', 1),
  ended(2, 60, 1, 'input', 1, 60),
  said(3, 60, 1, 'input', 'perceived'),
  began(4, 60, 2, 'thinker', 2),
  began(5, 61, 2, 'judge', 3),
  ended(6, 90, 2, 'thinker', 2, 30),
];

test('a turn grows by the frames, nodes and calls that its events speak of', () => {
  for (const [count, picture] of [
    [0, ''],
    [1, '1 input 0: input 0 running'],
    [2, '1 input 0: input 0+60 done'],
    [4, '1 input 0+60: input 0+60 done | 2 thinker 60: thinker 60 running'],
    [6, '1 input 0+60: input 0+60 done | 2 thinker+judge 60: thinker 60+30 done, judge 61 running'],
  ]) {
    const line = played(TURN.slice(0, count));
    assert.equal(drawn(line), picture, `${count} events`);
    assert.deepEqual(line.running?.nodes ?? [], { 0: [], 6: ['thinker', 'judge'] }[count] ?? [['input'], ['thinker']][count > 3 ? 1 : 0]);
  }
});

test('a turn that starts takes nothing over from one of the same name', () => {
  const start = said(7, 500, 0, 'engine', 'turn_started', { message: 'q', entry: 'message' });
  assert.equal(drawn(played([...TURN, start, began(8, 500, 1, 'input', 1)])), '1 input 0: input 0 running');
});

test('a call whose beginning was missed has begun by its duration before its end', () => {
  assert.equal(drawn(played([TURN[0], ended(6, 90, 2, 'thinker', 2, 30)])), '1 input 0+90: input 0 running | 2 thinker 90: thinker 60+30 done');
});

test('the trace closes its turn, and no other', () => {
  const closing = (id) => said(7, 100, 2, 'engine', 'frame_trace', { trace: trace({ id }) });
  const line = played([...TURN, closing('msg_1')]);
  assert.deepEqual([line.running, line.finished.map(({ id }) => id)], [null, ['msg_1']]);
  assert.ok(played([...TURN, closing('msg_0')]).running);
});

test('a call behind the answer is told with its beginning and its end, and only so many are kept', () => {
  const closing = said(7, 100, 2, 'engine', 'frame_trace', { trace: trace() });
  const start = began(8, 110, 0, 'memorizer', 4);
  const end = ended(9, 140, 0, 'memorizer', 4, 30);
  const behind = (...events) => played([...TURN, closing, ...events]).behind.map(({ label, turn, at, duration_ms: ms }) => [label, turn, at - START, ms]);
  assert.deepEqual(behind(start), [['memorizer', 'msg_1', 110, undefined]]);
  assert.deepEqual(behind(start, end), [['memorizer', 'msg_1', 110, 30]]);
  assert.deepEqual(behind(end), [['memorizer', 'msg_1', 110, 30]]);
  assert.equal(behind(...Array.from({ length: 30 }, (_, at) => began(8 + at, 110, 0, 'memorizer', 4 + at))).length, 20);
});

test('what went wrong is kept by turn, for as many turns as there are traces', () => {
  const failures = Array.from({ length: 30 }, (_, at) => ({ ...said(at + 1, at, at % 2, 'thinker', 'error', { detail: `no ${at}` }), turn: `msg_${at}` }));
  const { errors } = played(failures);
  assert.deepEqual([Object.keys(errors).length, errors.msg_29, errors.msg_10, errors.msg_9], [20, 'no 29', 'no 10', undefined]);
});
