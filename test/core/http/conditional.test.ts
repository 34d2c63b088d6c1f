import fc from 'fast-check';
import t from 'tap';
import { evaluateConditions, type ConditionalHeaders } from '../../../src/core/http/conditional.ts';
import { formatHttpDate } from '../../../src/core/http/http-date.ts';

const NOW = Date.UTC(2026, 0, 1);
const CHANGED = Date.UTC(2025, 5, 1, 12, 0, 0);
const SECOND = 1000;
const file = { etag: '"abc"', lastModified: CHANGED + 500 };
const of = (headers: ConditionalHeaders, validators = file) => evaluateConditions(headers, validators, NOW);

t.test('without conditions a range is allowed', async (t) => t.equal(of({}), 'range-allowed'));

t.test('If-None-Match compares weakly with each tag of its list', async (t) => {
  for (const ifNoneMatch of ['"abc"', 'W/"abc"', '"x", "abc"', '"x,y" , W/"abc"', '*', ' "abc" ']) {
    t.equal(of({ ifNoneMatch }), 'not-modified', ifNoneMatch);
  }
  for (const ifNoneMatch of ['"x"', 'abc', '"ABC"', '"x,"abc""', '', '"abc', 'w/"abc"']) {
    t.equal(of({ ifNoneMatch }), 'range-allowed', ifNoneMatch);
  }
  t.equal(evaluateConditions({ ifNoneMatch: '"abc"' }, { etag: 'W/"abc"' }, NOW), 'not-modified');
  t.equal(evaluateConditions({ ifNoneMatch: '"abc"' }, {}, NOW), 'range-allowed', 'a file without a tag');
});

t.test('If-Modified-Since compares in whole seconds', async (t) => {
  t.equal(of({ ifModifiedSince: formatHttpDate(CHANGED) }), 'not-modified');
  t.equal(of({ ifModifiedSince: formatHttpDate(CHANGED + SECOND) }), 'not-modified');
  t.equal(of({ ifModifiedSince: formatHttpDate(CHANGED - SECOND) }), 'range-allowed');
  t.equal(of({ ifModifiedSince: 'rubbish' }), 'range-allowed');
  t.equal(evaluateConditions({ ifModifiedSince: formatHttpDate(CHANGED) }, {}, NOW), 'range-allowed');
});

t.test('If-None-Match goes before If-Modified-Since', async (t) => {
  t.equal(of({ ifNoneMatch: '"x"', ifModifiedSince: formatHttpDate(CHANGED) }), 'range-allowed');
});

t.test('If-Range needs the same strong tag or exactly the same date', async (t) => {
  t.equal(of({ ifRange: '"abc"' }), 'range-allowed');
  t.equal(of({ ifRange: formatHttpDate(CHANGED) }), 'range-allowed');
  for (const ifRange of [
    '"x"',
    'W/"abc"',
    '',
    '*',
    'rubbish',
    formatHttpDate(CHANGED + SECOND),
    formatHttpDate(CHANGED - SECOND),
  ]) {
    t.equal(of({ ifRange }), 'full', ifRange);
  }
  t.equal(evaluateConditions({ ifRange: 'W/"abc"' }, { etag: 'W/"abc"' }, NOW), 'full', 'weak tags are never the same');
  t.equal(evaluateConditions({ ifRange: '"abc"' }, {}, NOW), 'full');
});

t.test('a 304 goes before If-Range', async (t) => {
  t.equal(of({ ifModifiedSince: formatHttpDate(CHANGED), ifRange: '"x"' }), 'not-modified');
});

t.test('hostile headers are answered in time', async (t) => {
  t.equal(of({ ifNoneMatch: ',"'.repeat(8000) }), 'range-allowed');
  t.equal(of({ ifNoneMatch: `${' '.repeat(16000)}"x"` }), 'range-allowed');
});

t.test('a tag is found in any list that holds it', async () => {
  const opaque = fc.stringMatching(/^[!#-~]{0,10}$/).map((text) => `"${text}"`);
  fc.assert(
    fc.property(fc.array(opaque), fc.array(opaque), opaque, (before, after, etag) => {
      return (
        evaluateConditions({ ifNoneMatch: [...before, etag, ...after].join(', ') }, { etag }, NOW) === 'not-modified'
      );
    }),
  );
});
