import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRoute, parseRoute, splitToken } from './route';

test('an address comes back as it was', () => {
  const hash = formatRoute('simulate', [], { model: 'a b/c:3', from: '2017-03-01', empty: '', none: undefined });
  assert.equal(hash, '#/simulate?model=a+b%2Fc:3&from=2017-03-01');
  assert.deepEqual(parseRoute(hash), { page: 'simulate', rest: [], query: { model: 'a b/c:3', from: '2017-03-01' } });
  assert.deepEqual(parseRoute(formatRoute('models', ['x/y:1'])), { page: 'models', rest: ['x/y:1'], query: {} });
});

test('odd addresses lead somewhere', () => {
  assert.deepEqual(parseRoute(''), { page: '', rest: [], query: {} });
  assert.deepEqual(parseRoute('#/data/%E0%A4%A'), { page: 'data', rest: ['%E0%A4%A'], query: {} });
});

test('the token is taken out of every kind of fragment', () => {
  assert.deepEqual(splitToken('#token=abc'), { token: 'abc', hash: '' });
  assert.deepEqual(splitToken('#/simulate?model=x&token=a%2Bb'), { token: 'a+b', hash: '#/simulate?model=x' });
  assert.deepEqual(splitToken('#/simulate?token=abc&model=x'), { token: 'abc', hash: '#/simulate?model=x' });
  assert.deepEqual(splitToken('#/simulate?token=abc'), { token: 'abc', hash: '#/simulate' });
  assert.deepEqual(splitToken('#token=abc&/overview'), { token: 'abc', hash: '#/overview' });
  assert.deepEqual(splitToken('#/overview'), { hash: '#/overview' });
});
