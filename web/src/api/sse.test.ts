import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventParser } from './sse';

const STREAM = 'id: 1\nevent: simulation\ndata: {"a":1}\n\n: alive\n\ndata: two\ndata: lines\n\nretry: 250\nid\ndata:no space\n\nevent: lost\n\n';
const EXPECTED = [
  { event: 'simulation', data: '{"a":1}', id: '1' },
  { event: 'message', data: 'two\nlines', id: '1' },
  { event: 'message', data: 'no space', id: '' },
];

test('events as the HTML standard reads them', () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push(STREAM), EXPECTED);
  assert.equal(parser.retryMs, 250);
});

test('wherever the stream is cut, with every kind of line end', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const text = STREAM.replaceAll('\n', end);
    for (let cut = 0; cut <= text.length; ++cut) {
      const parser = new EventParser();
      const found = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      // A lone carriage return at the end may be half of a line end: the last event waits for what follows.
      found.push(...parser.push(':\n'));
      assert.deepEqual(found, EXPECTED, `${JSON.stringify(end)} cut at ${cut}`);
    }
  }
});

test('a byte order mark at the start does not count', () => {
  assert.deepEqual(new EventParser().push('\ufeffdata: x\n\n'), [{ event: 'message', data: 'x', id: '' }]);
});
