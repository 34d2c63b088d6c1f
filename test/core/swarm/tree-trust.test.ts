import t from 'tap';

import { TreeTrust } from '../../../src/core/swarm/tree-trust.ts';

const right = Buffer.alloc(3 * 32, 1);
const wrong = Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32, 9), Buffer.alloc(32, 1)]);
const root = (value: number) => Buffer.alloc(32, value);

t.test('roots are followed while all who told any told the same', (t) => {
  const trust = new TreeTrust<string>(3);
  t.equal(trust.expected(0), undefined);
  t.ok(trust.told('a', right));
  t.ok(trust.told('b', right));
  t.same(trust.expected(1), root(1));
  t.ok(trust.told('c', wrong));
  t.equal(trust.agreed, false);
  t.equal(trust.expected(1), undefined);
  t.same(trust.disputedPieces(), [1]);
  t.same(trust.liars(1, root(1)), ['c']);
  t.same(trust.liars(1, root(9)), ['a', 'b']);
  t.end();
});

t.test('roots of another number than the pieces are refused', (t) => {
  t.notOk(new TreeTrust<string>(3).told('a', Buffer.alloc(64)));
  t.end();
});

t.test('a tree that two senders contradict in the same way is not followed any more', (t) => {
  const trust = new TreeTrust<string>(3);
  trust.told('liar', wrong);
  t.notOk(trust.strayed(1, root(1), 'a'));
  t.notOk(trust.strayed(1, root(1), 'a'), 'one sender alone does not count twice');
  t.notOk(trust.strayed(1, root(5), 'b'), 'nor do two who differ from each other');
  t.ok(trust.strayed(1, root(1), 'c'));
  t.notOk(trust.agreed);
  t.same(trust.liars(1, root(1)), ['liar']);
  t.end();
});

t.test('that all pieces matched is known', (t) => {
  const trust = new TreeTrust<string>(3);
  trust.told('a', right);
  for (const piece of [0, 1]) trust.matched(piece);
  t.notOk(trust.allMatched);
  trust.matched(2);
  t.ok(trust.allMatched);
  t.ok(trust.hasMatched(2));
  t.end();
});
