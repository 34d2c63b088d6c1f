import t from 'tap';
import { judgeGpgv } from '../../../src/actors/packages-parser/gpgv-status.ts';

const status = (...lines: string[]): string => lines.map((line) => `[GNUPG:] ${line}\n`).join('');
const valid = (hash = '8'): string => `VALIDSIG AA 2026-01-01 1 0 4 0 1 ${hash} 01 AA`;

const cases: readonly [what: string, lines: readonly string[], code: string][] = [
  ['a good signature', ['NEWSIG', 'GOODSIG A a', valid()], 'GOOD'],
  ['one by an unknown key beside it', ['NEWSIG', 'ERRSIG B', 'NO_PUBKEY B', 'NEWSIG', 'GOODSIG A', valid()], 'GOOD'],
  ['an expired key beside it', ['NEWSIG', 'EXPKEYSIG B', valid(), 'NEWSIG', 'GOODSIG A', valid()], 'GOOD'],
  ['a wrong one beside it', ['NEWSIG', 'GOODSIG A', valid(), 'NEWSIG', 'BADSIG B'], 'SIGNATURE_BAD'],
  ['two texts', ['PLAINTEXT', 'PLAINTEXT', 'NEWSIG', 'GOODSIG A', valid()], 'SIGNATURE_BAD'],
  ['GOODSIG without VALIDSIG', ['NEWSIG', 'GOODSIG A'], 'SIGNATURE_BAD'],
  ['VALIDSIG of an expired key', ['NEWSIG', 'EXPKEYSIG A', valid()], 'SIGNATURE_UNKNOWN_KEY'],
  ['VALIDSIG of a revoked key', ['NEWSIG', 'REVKEYSIG A', valid()], 'SIGNATURE_UNKNOWN_KEY'],
  ['an expired signature', ['NEWSIG', 'EXPSIG A', valid()], 'SIGNATURE_UNKNOWN_KEY'],
  ['SHA-1', ['NEWSIG', 'GOODSIG A', valid('2')], 'SIGNATURE_BAD'],
  ['only unknown keys', ['NEWSIG', 'ERRSIG B', 'NO_PUBKEY B'], 'SIGNATURE_UNKNOWN_KEY'],
  ['no signature', ['NODATA 1'], 'SIGNATURE_BAD'],
  ['nothing', [], 'SIGNATURE_BAD'],
];
for (const [what, lines, code] of cases) t.equal(judgeGpgv(status(...lines)).code, code, what);
t.equal(judgeGpgv('GOODSIG A\nVALIDSIG A').code, 'SIGNATURE_BAD', 'lines that are not status lines do not count');
