import fc from 'fast-check';
import t from 'tap';
import { asksMirror, freshnessOf, isStorable } from '../../../src/core/http/freshness.ts';
import { formatHttpDate } from '../../../src/core/http/http-date.ts';

const NOW = Date.UTC(2026, 0, 1);
const SECOND = 1000;
const HOUR = 3600 * SECOND;
const at = (ms: number) => formatHttpDate(NOW + ms);
const of = (headers: Record<string, string>) => freshnessOf((name) => headers[name], NOW);

t.test('s-maxage goes before max-age, and that before Expires', async (t) => {
  t.equal(of({ 'cache-control': 'public, max-age=60, s-maxage=90', expires: at(HOUR) }), 90 * SECOND);
  t.equal(of({ 'cache-control': 'Max-Age="60"', expires: at(HOUR) }), 60 * SECOND);
  t.equal(of({ expires: at(HOUR), date: at(0) }), HOUR);
  t.equal(of({ expires: at(HOUR) }), HOUR);
});

t.test('time that passed on the way counts', async (t) => {
  t.equal(of({ 'cache-control': 'max-age=60', age: '20' }), 40 * SECOND);
  t.equal(of({ 'cache-control': 'max-age=60', date: at(-30 * SECOND) }), 30 * SECOND);
  t.equal(of({ 'cache-control': 'max-age=60', age: '100' }), 0);
});

t.test('without a lifetime it is a tenth of the age, from 5 s to 1 h', async (t) => {
  t.equal(of({ 'last-modified': at(-5 * HOUR) }), HOUR / 2);
  t.equal(of({ 'last-modified': at(-1000 * HOUR) }), HOUR);
  t.equal(of({ 'last-modified': at(-10 * SECOND) }), 5 * SECOND);
  t.equal(of({ 'last-modified': at(HOUR) }), 5 * SECOND, 'a date in the future');
  t.equal(of({}), 0, 'nothing known');
});

t.test('no-store, private and Vary: * are not kept, no-cache is always asked for', async (t) => {
  for (const headers of [{ 'cache-control': 'max-age=9, no-store' }, { 'cache-control': 'PRIVATE' }, { vary: '*' }]) {
    const header = (name: string) => (headers as Record<string, string>)[name];
    t.notOk(isStorable(header));
    t.equal(freshnessOf(header, NOW), 0);
  }
  t.equal(of({ 'cache-control': 'no-cache, max-age=60' }), 0);
  t.ok(isStorable((name) => ({ 'cache-control': 'no-cache', vary: 'Accept' })[name]));
});

t.test('what cannot be understood makes a file stale, not fresh', async (t) => {
  t.equal(of({ expires: '0' }), 0);
  t.equal(of({ expires: '-1', 'last-modified': at(-HOUR) }), 0);
  t.equal(of({ 'cache-control': 'max-age=soon' }), 0);
  t.equal(of({ 'cache-control': 'max-age=-5' }), 0);
});

t.test('a request that wants to know what the mirror has', async (t) => {
  for (const text of ['no-cache', 'No-Cache, no-store', 'max-age=0', 'no-transform, max-age="0"']) {
    t.ok(asksMirror(text, undefined), text);
  }
  for (const text of ['no-store', 'max-age=60', 'only-if-cached', 'x-no-cache', 'max-age=soon', '']) {
    t.notOk(asksMirror(text, 'no-cache'), text);
  }
  t.ok(asksMirror(undefined, 'no-cache'));
  t.notOk(asksMirror(undefined, undefined));
});

t.test('lifetimes are bounded whatever the headers say', async () => {
  const text = fc.oneof(fc.string(), fc.constantFrom('max-age=99999999999999999999', at(0), at(1e12), '9'.repeat(50)));
  const headers = fc.dictionary(
    fc.constantFrom('cache-control', 'expires', 'date', 'age', 'last-modified', 'vary'),
    text,
  );
  fc.assert(
    fc.property(headers, (all) => {
      const fresh = of(all);
      return fresh >= 0 && fresh <= 366 * 24 * HOUR;
    }),
  );
});
