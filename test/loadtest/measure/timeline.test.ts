import t from 'tap';
import { Tally } from '../../../scripts/loadtest/measure/tally.ts';
import { Timeline } from '../../../scripts/loadtest/measure/timeline.ts';

const TIMING = { kind: 'package', bytes: 100, firstByteMs: 8, completeMs: 20, sinceSentMs: 30 } as const;

const cost = (resident: number, proportional: number) => {
  return { resident, proportional, cpuSeconds: new Map<number, number>(), processes: 1 };
};

t.test('seconds have what the threads told of them and what the target cost', (t) => {
  const timeline = new Timeline();
  const [one, other] = [new Tally(), new Tally()];
  for (const tally of [one, other]) {
    tally.active(1);
    tally.received(100);
    tally.fetched(TIMING);
  }
  other.failed('http-500', 'x');
  timeline.sampled(0, cost(5, 4), 10);
  timeline.heard(1001, one.takeTick(), 0);
  timeline.heard(1002, other.takeTick(), 1);
  timeline.sampled(900, cost(7, 6), 10.5);
  timeline.heard(2001, one.takeTick(), 0);
  timeline.sampled(1900, cost(6, 5), 11.5);
  const [first, second] = timeline.seconds();
  t.match(first, { at: 0, bytes: 200, files: 2, errors: 1, active: 2, resident: 7, cpu: 0.5 });
  t.ok(Math.abs((first?.p50 ?? 0) / 8 - 1) < 0.02);
  t.match(second, { at: 1, bytes: 0, files: 0, p50: null, resident: 6, cpu: 1 });
  t.same(timeline.peak, { resident: 7, proportional: 6 });
  t.same(timeline.total, { bytes: 200, files: 2, errors: 1, retries: 0 });
  t.end();
});
