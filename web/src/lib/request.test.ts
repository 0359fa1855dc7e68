import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Model, ModelVersion } from '../api/types';
import { checkForm, fieldErrors, formOf, formOfRequest, NO_COSTS, queryOf, requestOf, resolveModel, type SimForm } from './request';

const form: SimForm = {
  model: 'a:1', other: 'b@champion', instrument: 'EURUSD', from: '2017-03-01', to: '2017-03-31',
  costs: { spreadTimes: '1.5', spreadPips: '', slippagePips: '0', commission: '', financing: 'off' },
};

test('a form survives the address and the request', () => {
  assert.deepEqual(formOf(queryOf(form)), form);
  assert.deepEqual(formOfRequest(requestOf(form, form.model), form.other), form);
});

test('a request has what was filled in and nothing else', () => {
  assert.deepEqual(requestOf(form, 'a:1'), {
    model: 'a:1', instrument: 'EURUSD', from: '2017-03-01', to: '2017-03-31',
    costs: { spread_multiplier: 1.5, slippage_pips: 0, financing: 'off' },
  });
  assert.deepEqual(requestOf({ ...form, instrument: '', from: '', to: '', costs: NO_COSTS }, 'a:1'), { model: 'a:1' });
  assert.deepEqual(requestOf({ ...form, costs: NO_COSTS }, 'a:1', { spread: 2 } as never).what_if, { spread: 2 });
});

test('addresses from elsewhere cannot put nonsense into the form', () => {
  const odd = formOf({ from: '2017-02-30', to: 'x', instrument: '<script>', financing: 'maybe' });
  assert.deepEqual(odd, { model: '', other: '', instrument: '', from: '', to: '', costs: NO_COSTS });
});

test('errors name their field', () => {
  assert.deepEqual(checkForm(form), {});
  assert.deepEqual(Object.keys(checkForm({ ...form, model: '' })), ['model']);
  assert.deepEqual(Object.keys(checkForm({ ...form, from: '2018-01-01' })), ['to']);
  assert.deepEqual(Object.keys(checkForm({ ...form, other: 'a:1' })), ['other']);
  assert.match(checkForm({ ...form, costs: { ...NO_COSTS, spreadPips: '-1' } }).spreadPips ?? '', /between 0 and 1000/);
  assert.match(checkForm({ ...form, costs: { ...NO_COSTS, commission: 'many' } }).commission ?? '', /not a number/);
  assert.deepEqual(fieldErrors({ '/costs/spread_pips': 'bad', '/from': 'early', 'query.limit': 'x' }), { spreadPips: 'bad', from: 'early', 'query.limit': 'x' });
});

test('references find their version as the program does', () => {
  const version = (name: string, number: number) => ({ name, version: number, reference: `${name}:${number}` }) as ModelVersion;
  const models = [
    { name: 'a', latest_version: 3, aliases: { champion: 1 }, versions: [version('a', 3), version('a', 1)] },
    { name: 'odd:2', latest_version: 1, aliases: {}, versions: [version('odd:2', 1)] },
  ] as unknown as Model[];
  assert.equal(resolveModel(models, 'a:1')?.version, 1);
  assert.equal(resolveModel(models, 'a@champion')?.version, 1);
  assert.equal(resolveModel(models, 'a@latest')?.version, 3);
  assert.equal(resolveModel(models, 'a')?.version, 3);
  assert.equal(resolveModel(models, 'odd:2')?.reference, 'odd:2:1');
  assert.equal(resolveModel(models, 'a:2'), undefined);
  assert.equal(resolveModel(models, 'a@nobody'), undefined);
  assert.equal(resolveModel(models, ''), undefined);
});
