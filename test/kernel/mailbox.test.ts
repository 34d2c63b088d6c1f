import * as fc from 'fast-check';
import t from 'tap';

import type { Letter } from '../../src/kernel/mailbox.ts';
import { Mailbox } from '../../src/kernel/mailbox.ts';

const ask = { kind: 'ask', resolve: () => undefined, reject: () => undefined };

t.test('letters come out in the order they went in, however puts and takes alternate', async () => {
  const runs = fc.array(fc.record({ put: fc.nat(700), take: fc.nat(700), asks: fc.boolean() }), { maxLength: 12 });
  fc.assert(
    fc.property(runs, (steps) => {
      const mailbox = new Mailbox();
      const model: Letter[] = [];
      for (const { put, take, asks } of steps) {
        for (let n = 0; n < put; n += 1) {
          const letter: Letter = { kind: 'x', args: [n], ask: asks && n % 3 === 0 ? ask : undefined };
          mailbox.put(letter);
          model.push(letter);
        }
        for (let n = 0; n < take; n += 1) if (mailbox.take() !== model.shift()) return false;
        if (mailbox.length !== model.length) return false;
        if (mailbox.tells !== model.filter((letter) => letter.ask === undefined).length) return false;
      }
      return true;
    }),
  );
});
