import fc from 'fast-check';
import t from 'tap';

import { INDEX_LIMIT, LeaseTable, type Lease } from '../../../src/core/swarm/lease-table.ts';

const step = fc.oneof(fc.record({ open: fc.integer({ min: 1, max: 20 }) }), fc.record({ end: fc.nat(50) }));

t.test('leases never overlap, are never used again, and every index is known for what it is', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), fc.integer({ min: 1, max: 400 }), (steps, limit) => {
      const table = new LeaseTable<number>(limit);
      /** What each index was given to. */
      const owner: Lease<number>[] = [];
      const open = new Set<Lease<number>>();
      for (const [at, step] of steps.entries()) {
        if ('open' in step) {
          const lease = table.open(step.open, at);
          if (lease === undefined) {
            if (owner.length + step.open <= limit) return false;
            continue;
          }
          if (lease.base !== owner.length || lease.pieces !== step.open || lease.value !== at) return false;
          for (let n = 0; n < lease.pieces; n++) owner.push(lease);
          open.add(lease);
        } else {
          const lease = owner[step.end];
          if (lease === undefined) continue;
          table.end(lease);
          open.delete(lease);
        }
        if (table.size !== open.size || owner.length > limit) return false;
        for (let index = 0; index < owner.length + 3; index++) {
          const expected = owner[index];
          const found = table.at(index);
          if (found !== (expected === undefined ? 'never' : open.has(expected) ? expected : 'ended')) return false;
        }
      }
      return [...table].every((lease) => open.has(lease));
    }),
  );
  t.end();
});

t.test('indexes have 32 bits', (t) => {
  const table = new LeaseTable<string>();
  for (let n = 0; n < 65_535; n++) table.end(table.open(65_536, 'x') as Lease<string>);
  t.equal(table.open(65_536, 'last')?.base, INDEX_LIMIT - 65_536);
  t.equal(table.open(1, 'none'), undefined);
  for (const index of [-1, Number.NaN, INDEX_LIMIT, 0.5 + INDEX_LIMIT]) t.equal(table.at(index), 'never');
  t.throws(() => table.open(0, ''));
  t.end();
});
