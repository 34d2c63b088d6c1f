/** Held by the compiler: a line below that compiles although it should not fails the build. */
import t from 'tap';

import { spawn } from '../../src/kernel/actor.ts';
import type { ActorRef, Behaviour } from '../../src/kernel/protocol.ts';
import { Recorder } from './fixtures/recorder.ts';

interface Counter {
  bump(by: number): void;
  read(): number;
  find(name: string, exact?: boolean): string | undefined;
}

/** Never runs. */
export function misuse(ref: ActorRef<Counter>): void {
  // @ts-expect-error -- read has a reply
  ref.tell('read');
  // @ts-expect-error -- bump has none
  void ref.ask('bump', 1);
  // @ts-expect-error -- no such message
  ref.tell('reset');
  // @ts-expect-error -- the argument is missing
  ref.tell('bump');
  // @ts-expect-error -- the argument is of the wrong type
  ref.tell('bump', '1');
  // @ts-expect-error -- one argument too many
  void ref.ask('read', 1);
  // @ts-expect-error -- the reply is a number
  void ref.ask('read').then((text: string) => text);
  // @ts-expect-error -- a reply that may be undefined
  void ref.ask('find', 'x').then((name: string) => name);
  // @ts-expect-error -- an actor of another protocol
  void (ref satisfies ActorRef<{ other(): number }>);
  // @ts-expect-error -- a handler is missing
  const incomplete: Behaviour<Counter> = { bump: () => undefined, read: () => 1 };
  // @ts-expect-error -- a reply of the wrong type
  const wrong: Behaviour<Counter> = { bump: () => undefined, read: () => 'one', find: async () => undefined };
  void [incomplete, wrong];
}

t.test('handlers may be synchronous or not, and replies are what the protocol says', async (tt) => {
  let count = 0;
  const actor = spawn<Counter>({
    name: 'counter',
    log: new Recorder(),
    behaviour: {
      bump: async (by) => void (count += by),
      read: () => count,
      find: (name, exact = false) => (exact ? undefined : name),
    },
  });
  actor.ref.tell('bump', 2);
  const read: number = await actor.ref.within(100).ask('read');
  const found: string | undefined = await actor.ref.ask('find', 'x');
  tt.equal(read, 2);
  tt.equal(found, 'x');
  tt.equal(await actor.ref.ask('find', 'x', true), undefined);
  await actor.stop();
});
