/**
 * `/healthz?mirror=URL`: whether the daemon would fetch from a host. The helper of APT's Proxy-Auto-Detect asks it, so
 * that APT goes directly to archives that the daemon would refuse, in one question that nobody else answers like this.
 */
import { checkHost } from '../actors/http-backup/dns-guard.ts';
import { asDebtorrentError, ERRORS, type ErrorCode } from '../core/errors.ts';
import { mirrorRequest, parseMirrorUrl } from '../core/http/mirror-url.ts';
import type { HostRules } from '../core/host-rules.ts';

export interface MirrorAnswer {
  /** 200, or what a request for a file there would get. */
  readonly status: number;
  readonly text: string;
  /** What is wrong with a file there; undefined when nothing is. */
  readonly code?: ErrorCode;
}

const YES: MirrorAnswer = { status: 200, text: 'debtorrent: ok\n' };

/** Undefined when the query asks nothing of the kind; an empty URL asks only whether this is a daemon. */
export function answerMirrorQuestion(rules: HostRules, query: string): MirrorAnswer | undefined {
  const url = new URLSearchParams(query).get('mirror');
  if (url === null) return undefined;
  if (url === '') return YES;
  try {
    const { scheme, host, port } = mirrorRequest(parseMirrorUrl(url));
    // APT reaches https archives behind a proxy through a tunnel
    checkHost(rules, host, port, scheme === 'https' ? 'tunnel' : 'fetch');
    return YES;
  } catch (error) {
    const { code, message } = asDebtorrentError(error);
    return { status: ERRORS[code].status, text: `debtorrent: ${message}\n`, code };
  }
}
