import fc from 'fast-check';
import t from 'tap';

import {
  FIRST_JOB_BYTES,
  firstJobBytes,
  jobBytesFor,
  MAX_JOB_BYTES,
  MIN_JOB_BYTES,
  nextJobBytes,
} from '../../src/core/job-size.ts';

t.test('sizes stay within their bounds whatever was measured', (t) => {
  const measured = fc.record({
    bytes: fc.nat(MAX_JOB_BYTES * 2),
    tookMs: fc.double({ min: 0, max: 1e7, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(measured, { maxLength: 50 }), (all) => {
      let size = FIRST_JOB_BYTES;
      for (const { bytes, tookMs } of all) size = nextJobBytes(size, bytes, tookMs);
      return Number.isInteger(size) && size >= MIN_JOB_BYTES && size <= MAX_JOB_BYTES;
    }),
  );
  t.end();
});

t.test('quick ranges grow, slow ones shrink, rests say nothing', (t) => {
  t.equal(nextJobBytes(FIRST_JOB_BYTES, FIRST_JOB_BYTES, 100), FIRST_JOB_BYTES * 2);
  t.equal(nextJobBytes(FIRST_JOB_BYTES, FIRST_JOB_BYTES, 1000), FIRST_JOB_BYTES);
  t.equal(nextJobBytes(FIRST_JOB_BYTES, FIRST_JOB_BYTES, 5000), FIRST_JOB_BYTES / 2);
  t.equal(nextJobBytes(FIRST_JOB_BYTES, 1000, 1), FIRST_JOB_BYTES);
  t.end();
});

t.test('the first range of a file goes by what is known of the mirror', (t) => {
  t.equal(firstJobBytes(undefined, 4), FIRST_JOB_BYTES);
  t.equal(firstJobBytes(100_000, 4), FIRST_JOB_BYTES);
  t.equal(firstJobBytes(4000, 4), 2_000_000);
  t.equal(firstJobBytes(10, 4), MIN_JOB_BYTES);
  t.end();
});

t.test('a range is never more than what remains, nor empty, nor a crumb', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 40 }),
      fc.integer({ min: MIN_JOB_BYTES, max: MAX_JOB_BYTES }),
      fc.nat(64),
      (remaining, job, connections) => {
        const bytes = jobBytesFor(remaining, job, connections);
        return (
          bytes > 0 &&
          bytes <= Math.max(job, MIN_JOB_BYTES) &&
          bytes <= Math.max(remaining, bytes) &&
          bytes >= Math.min(MIN_JOB_BYTES, remaining)
        );
      },
    ),
  );
  t.end();
});
