import { spawn } from '../../src/kernel/actor.ts';
import { runThread } from '../../src/kernel/thread.ts';

export interface Adder {
  add(a: number, b: number): number;
}

runThread(({ log }) => ({
  actors: { adder: spawn<Adder>({ name: 'adder', log, behaviour: { add: (a, b) => a + b } }) },
}));
