import fc from 'fast-check';
import t from 'tap';

import { LruMap } from '../../../src/core/swarm/lru-map.ts';

t.test('what was used least recently is forgotten first', (t) => {
  const map = new LruMap<string, number>({ entries: 2 });
  map.set('a', 1);
  map.set('b', 2);
  t.equal(map.get('a'), 1);
  map.set('c', 3);
  t.equal(map.get('b'), undefined);
  t.equal(map.get('a'), 1);
  map.set('a', 4);
  t.equal(map.size, 2);
  map.delete('a');
  map.delete('none');
  t.equal(map.size, 1);
  t.end();
});

t.test('entries and weight stay within their bounds', (t) => {
  const items = fc.array(fc.record({ key: fc.nat(20), value: fc.integer({ min: 1, max: 60 }) }), { maxLength: 200 });
  fc.assert(
    fc.property(items, (items) => {
      const map = new LruMap<number, number>({ entries: 5, weight: 100, weigh: (value) => value });
      for (const { key, value } of items) {
        map.set(key, value);
        if (map.get(key) !== value) return false;
        let weight = 0;
        for (let other = 0; other <= 20; other++) weight += map.get(other) ?? 0;
        if (map.size > 5 || weight > 100) return false;
      }
      return true;
    }),
  );
  const map = new LruMap<string, number>({ entries: 5, weight: 100, weigh: (value) => value });
  map.set('heavy', 101);
  t.equal(map.get('heavy'), undefined);
  t.end();
});
