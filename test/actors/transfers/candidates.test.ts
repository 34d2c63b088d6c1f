import fc from 'fast-check';
import t from 'tap';

import type { MirrorUrl } from '../../../src/core/ids.ts';
import { Candidates, type Fault } from '../../../src/actors/transfers/candidates.ts';

const url = (n: number) => `http://mirror${n}.debian.org/file` as MirrorUrl;
const fault = (transient: boolean, message = 'm'): Fault => ({ code: 'MIRROR_ERROR', message, transient });

t.test('each address is tried at most three times in a row, elsewhere first', (t) => {
  const candidates = new Candidates([url(1), url(2), url(1)], () => false);
  const asked: MirrorUrl[] = [];
  const delays: (number | undefined)[] = [];
  for (let now = candidates.current(); now !== undefined; now = candidates.current()) {
    asked.push(now);
    delays.push(candidates.failed(now, fault(true)));
  }
  t.strictSame(asked, [url(1), url(2), url(1), url(2), url(1), url(2)]);
  t.strictSame(delays, [0, 250, 250, 750, 750, undefined]);
  t.end();
});

t.test('a final answer crosses an address out at once, and so does impatience', (t) => {
  const candidates = new Candidates([url(1), url(2)], () => false);
  t.equal(candidates.failed(url(1), fault(false)), 0);
  t.equal(candidates.current(), url(2));
  t.equal(candidates.failed(url(2), fault(true), 0, false), undefined);
  t.equal(candidates.current(), undefined);
  t.end();
});

t.test('mirrors that failed lately come last', (t) => {
  t.equal(new Candidates([url(1), url(2)], (other) => other === url(1)).current(), url(2));
  t.equal(new Candidates([url(1), url(2)], () => true).current(), url(1));
  t.end();
});

t.test('Retry-After is kept to, within bounds', (t) => {
  const candidates = new Candidates([url(1)], () => false);
  t.equal(candidates.failed(url(1), fault(true), 1000), 1000);
  t.equal(candidates.failed(url(1), fault(true), 3_600_000), 4000);
  t.end();
});

t.test('progress forgives failures, but brings nobody back who is out', (t) => {
  const candidates = new Candidates([url(1)], () => false);
  for (let n = 0; n < 10; n++) {
    candidates.failed(url(1), fault(true));
    candidates.progressed(url(1));
  }
  t.equal(candidates.current(), url(1));
  candidates.failed(url(1), fault(false));
  candidates.progressed(url(1));
  t.equal(candidates.current(), undefined);
  t.end();
});

t.test('the client hears what the address that it asked for answered', (t) => {
  const candidates = new Candidates([url(1), url(2)], () => false);
  t.equal(candidates.verdict(url(1)).code, 'MIRROR_UNREACHABLE');
  candidates.failed(url(2), fault(false, 'two'));
  t.equal(candidates.verdict(url(1)).message, 'two');
  candidates.failed(url(1), fault(false, 'one'));
  t.equal(candidates.verdict(url(1)).message, 'one');
  t.end();
});

t.test('it always comes to an end, and delays are bounded', (t) => {
  const failure = fc.record({ transient: fc.boolean(), retryAfterMs: fc.nat(1e7), patient: fc.boolean() });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(failure, { minLength: 20, maxLength: 20 }),
      (count, failures) => {
        const candidates = new Candidates(
          Array.from({ length: count }, (_, n) => url(n)),
          () => false,
        );
        for (const { transient, retryAfterMs, patient } of failures) {
          const now = candidates.current();
          if (now === undefined) return true;
          const delay = candidates.failed(now, fault(transient), retryAfterMs, patient);
          if (delay !== undefined && (delay < 0 || delay > 4000)) return false;
        }
        return candidates.current() === undefined;
      },
    ),
  );
  t.end();
});

t.test('addresses that others name come last, and there are not many of them', (t) => {
  const candidates = new Candidates([url(1)], () => false);
  candidates.add([url(1), url(2)]);
  candidates.add(Array.from({ length: 100 }, (_, n) => url(n)));
  const asked = new Set<string>();
  for (let next = candidates.current(); next !== undefined; next = candidates.current()) {
    asked.add(next);
    candidates.failed(next, { code: 'NOT_FOUND', message: '', transient: false });
  }
  t.strictSame([...asked].slice(0, 2), [url(1), url(2)]);
  t.equal(asked.size, 9);
  t.end();
});
