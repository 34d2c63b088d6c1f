/** What gpgv's status lines (GnuPG's doc/DETAILS) say about a Release, judged as APT judges it. */
import type { ErrorCode } from '../../core/errors.ts';

export type Verdict =
  | { readonly code: 'GOOD' }
  | { readonly code: Extract<ErrorCode, 'SIGNATURE_BAD' | 'SIGNATURE_UNKNOWN_KEY'>; readonly message: string };

/** MD5, SHA-1 and RIPEMD-160 as numbered in RFC 9580, section 9.5: anybody might have made the text fit. */
const WEAK_HASHES: ReadonlySet<string> = new Set(['1', '2', '3']);

/**
 * Good when at least one signature is by a trusted key that is neither expired nor revoked, with a hash that holds,
 * and none is wrong. Signatures by keys that nobody here knows do not matter.
 */
export function judgeGpgv(status: string): Verdict {
  let good = 0;
  let weak = 0;
  let plaintexts = 0;
  let wrong = false;
  /** What the signature that the lines are about was called. */
  let state = '';
  const missing: string[] = [];
  const worthless: string[] = [];
  for (const line of status.split('\n')) {
    const [tag, keyword = '', ...words] = line.split(' ');
    if (tag !== '[GNUPG:]') continue;
    if (keyword === 'NEWSIG') state = '';
    else if (keyword === 'PLAINTEXT') plaintexts++;
    else if (keyword === 'BADSIG') wrong = true;
    else if (keyword === 'NO_PUBKEY') missing.push(words[0] ?? '');
    else if (keyword === 'EXPSIG' || keyword === 'EXPKEYSIG' || keyword === 'REVKEYSIG') {
      state = keyword;
      worthless.push(words[0] ?? '');
    } else if (keyword === 'GOODSIG') state = keyword;
    else if (keyword === 'VALIDSIG' && state === 'GOODSIG') {
      if (WEAK_HASHES.has(words[7] ?? '')) weak++;
      else good++;
      state = '';
    }
  }
  if (wrong || plaintexts > 1) return { code: 'SIGNATURE_BAD', message: 'the signature does not fit the text' };
  if (good > 0) return { code: 'GOOD' };
  if (weak > 0) return { code: 'SIGNATURE_BAD', message: 'the signature is over a hash that is too weak' };
  if (worthless.length > 0) return unknown(`signed only by expired or revoked keys: ${worthless.join(', ')}`);
  if (missing.length > 0) return unknown(`signed by keys that are not trusted: ${missing.join(', ')}`);
  return { code: 'SIGNATURE_BAD', message: 'there is no signature that can be read' };
}

function unknown(message: string): Verdict {
  return { code: 'SIGNATURE_UNKNOWN_KEY', message };
}
