import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import t from 'tap';
import { asDebtorrentError, DebtorrentError, ERRORS, storeError } from '../../src/core/errors.ts';
import { failureOfError } from '../../src/method/outcome.ts';

t.test('docs/ERRORS.md has each error, as it is', async (t) => {
  const text = readFileSync(new URL('../../../docs/ERRORS.md', import.meta.url), 'utf8');
  const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const documented = new Map(
    rows.filter((cells) => /^[A-Z]+(_[A-Z]+)*$/.test(cells[1] ?? '')).map((cells) => [cells[1], cells]),
  );
  t.same([...documented.keys()].sort(), Object.keys(ERRORS).sort());
  for (const [code, { status, transient, summary }] of Object.entries(ERRORS)) {
    const [, , documentedStatus, passes, meaning, advice = ''] = documented.get(code) ?? [];
    t.same([documentedStatus, passes, meaning], [String(status), transient ? 'yes' : 'no', summary], code);
    t.ok(advice.length > 5, `${code} has advice`);
  }
});

t.test('APT tries again what passes, and nothing else: only 408, 429 and 5xx pass', async (t) => {
  for (const [code, { status, transient }] of Object.entries(ERRORS)) {
    if (transient) t.ok(status >= 500, code);
  }
});

t.test('a message is one line', async (t) => {
  t.equal(new DebtorrentError('INTERNAL', 'one\r\n  two\nthree').message, 'one two three');
});

t.test('whatever is thrown becomes an error with a code', async (t) => {
  const expected = new DebtorrentError('GONE', 'gone');
  t.equal(asDebtorrentError(expected), expected);
  t.match(asDebtorrentError(new TypeError('oops')), { code: 'INTERNAL', message: 'oops' });
  t.match(asDebtorrentError('text'), { code: 'INTERNAL', message: 'text' });
});

t.test('a full disk and a used-up quota are no room, all else is a fault of the store', async (t) => {
  const failed = (code: string) => storeError(Object.assign(new Error(`${code}: it failed`), { code }), 'write: ');
  t.match(failed('ENOSPC'), { code: 'STORE_FULL', message: 'write: ENOSPC: it failed' });
  t.match(failed('EACCES'), { code: 'STORE_IO' });

  t.test('errors of the system that Node has no name for are known all the same', async (t) => {
    // what a call throws in Node 20, whatever the number is here
    const thrown = (errno: number) => {
      const name = `Unknown system error -${errno}`;
      const error = new Error(`${name}: ${name}, open '/cache/x'`);
      return Object.assign(error, { errno: -errno, code: name, syscall: 'open' });
    };
    const { EDQUOT, ESTALE } = constants.errno;
    t.match(storeError(thrown(EDQUOT)), {
      code: 'STORE_FULL',
      message: "EDQUOT: disk quota exceeded, open '/cache/x'",
    });
    t.match(storeError(thrown(ESTALE)), { code: 'STORE_IO', message: "ESTALE: stale file handle, open '/cache/x'" });
    t.match(failureOfError(thrown(EDQUOT)), { reason: 'DiskFull', message: /^EDQUOT: disk quota exceeded/ });
    t.match(failureOfError(thrown(ESTALE)), { reason: 'LocalError' });
  });
});
