import fc from 'fast-check';
import t from 'tap';

import { BLOCKS_PER_PIECE, pickBlock, Todo } from '../../../src/core/swarm/picker.ts';

const PIECES = 6;
const BLOCKS = PIECES * BLOCKS_PER_PIECE;

t.test('blocks to do are a set', (t) => {
  const step = fc.record({ add: fc.boolean(), block: fc.nat(BLOCKS - 1) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const todo = new Todo(PIECES);
      const model = new Set<number>();
      for (const { add, block } of steps) {
        const changed = add ? todo.add(block) : todo.delete(block);
        if (changed !== (add ? !model.has(block) : model.has(block))) return false;
        if (add) model.add(block);
        else model.delete(block);
      }
      const listed = Array.from({ length: BLOCKS }, (_, block) => block).filter((block) => todo.has(block));
      return todo.count === model.size && listed.every((block) => model.has(block));
    }),
  );
  t.end();
});

t.test('what is picked is to be done, had and inside; nothing is picked only when there is nothing', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(BLOCKS - 1)),
      fc.uniqueArray(fc.nat(PIECES - 1)),
      fc.option(fc.nat(PIECES - 1), { nil: undefined }),
      fc.nat(PIECES),
      fc.nat(PIECES),
      (blocks, had, current, from, to) => {
        const todo = new Todo(PIECES);
        for (const block of blocks) todo.add(block);
        const fits = blocks.filter((block) => {
          const piece = Math.floor(block / BLOCKS_PER_PIECE);
          return had.includes(piece) && piece >= from && piece < to;
        });
        const block = pickBlock({ todo, from, to, current, has: (piece) => had.includes(piece) });
        return block === undefined ? fits.length === 0 : fits.includes(block);
      },
    ),
  );
  t.end();
});

t.test('links share a file by pieces: each stays with the one it has begun', (t) => {
  const todo = new Todo(PIECES);
  for (let block = 0; block < BLOCKS; block++) todo.add(block);
  const senders = new Map<number, Set<number>>();
  const current: (number | undefined)[] = [undefined, undefined];
  for (let turn = 0; todo.count > 0; turn++) {
    const link = turn % 2;
    const block = pickBlock({ todo, from: 0, to: PIECES, current: current[link], has: () => true });
    if (block === undefined) break;
    const piece = Math.floor(block / BLOCKS_PER_PIECE);
    todo.delete(block);
    current[link] = piece;
    senders.set(piece, (senders.get(piece) ?? new Set()).add(link));
  }
  t.equal(todo.count, 0);
  t.ok([...senders.values()].every((links) => links.size === 1));
  t.end();
});
