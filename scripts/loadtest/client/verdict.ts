/** What APT makes of an answer: take the bytes, it is done, try again, or give up. Pure. */
import type { AnswerHead } from './answer-reader.ts';

export type Verdict =
  /** The body is the file, from this byte on. */
  | { readonly kind: 'take'; readonly from: number }
  | { readonly kind: 'not-modified' }
  /** The whole file has to be asked for. */
  | { readonly kind: 'again' }
  /** An error, known for sure when its body has ended. */
  | { readonly kind: 'error'; readonly code: string; readonly mayPass: boolean; readonly afterMs: number | undefined };

/** Status codes after which APT tries again. */
const MAY_PASS = new Set([408, 429, 500, 502, 503, 504]);
const LONGEST_RETRY_AFTER_MS = 30_000;

/** @param have Bytes that the client has and has asked to continue after; 0 when it asked for the whole */
export function judge(head: AnswerHead, have: number): Verdict {
  const { status, headers, length } = head;
  if (status === 200) {
    // without a length APT takes it for an empty file
    if (length === undefined && !headers.has('transfer-encoding')) return error('no-length', false);
    return { kind: 'take', from: 0 };
  }
  if (status === 206) {
    const start = /^bytes (\d+)-\d+\/\d+$/.exec(headers.get('content-range') ?? '')?.[1];
    return have > 0 && Number(start) === have ? { kind: 'take', from: have } : error('wrong-range', true);
  }
  if (status === 304) return { kind: 'not-modified' };
  if (status === 416 && have > 0) return { kind: 'again' };
  if (!MAY_PASS.has(status)) return error(`http-${status}`, false);
  // an error without a length or without a body is final for APT
  if (length === undefined || length === 0) return error(`http-${status}-empty`, false);
  const seconds = Number(headers.get('retry-after'));
  const afterMs =
    headers.has('retry-after') && seconds >= 0 ? Math.min(seconds * 1000, LONGEST_RETRY_AFTER_MS) : undefined;
  return error(`http-${status}`, true, afterMs);
}

function error(code: string, mayPass: boolean, afterMs?: number): Verdict {
  return { kind: 'error', code, mayPass, afterMs };
}
