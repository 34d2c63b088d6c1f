import { readFileSync } from 'node:fs';
import t from 'tap';
import { asDebtorrentError, DebtorrentError, ERRORS, storeError } from '../../src/core/errors.ts';

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
  t.match(failed('EDQUOT'), { code: 'STORE_FULL' });
  t.match(failed('EACCES'), { code: 'STORE_IO' });
});
