/** Errors of sockets, TLS, undici and the file system as codes of the table. */
import { asDebtorrentError, DebtorrentError } from '../../core/errors.ts';

/** What failed may succeed with the same request later, or at another mirror. */
export const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'MIRROR_UNREACHABLE',
  'MIRROR_TIMEOUT',
  'MIRROR_TRUNCATED',
  'MIRROR_PROTOCOL',
  'MIRROR_ERROR',
]);

/** An error of the exchange with a mirror. */
export function mirrorError(error: unknown): DebtorrentError {
  if (error instanceof DebtorrentError) return error;
  const { code, name, message, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof DebtorrentError) return cause;
  if (name === 'HTTPParserError') return new DebtorrentError('MIRROR_PROTOCOL', message);
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
    case 'ETIMEDOUT':
      return new DebtorrentError('MIRROR_TIMEOUT', message);
    case 'UND_ERR_SOCKET':
    case 'ECONNRESET':
    case 'EPIPE':
      return new DebtorrentError('MIRROR_TRUNCATED', message);
    case undefined:
      return asDebtorrentError(error);
    default:
      return code.startsWith('HPE_') || code.startsWith('UND_ERR_')
        ? new DebtorrentError('MIRROR_PROTOCOL', message)
        : new DebtorrentError('MIRROR_UNREACHABLE', message);
  }
}

/**
 * True for a kept connection that the mirror closed at the moment when it was used again, as far as that can be known:
 * nothing of an answer came, and it is not certain that the connection was new.
 */
export function isStaleConnection(error: Error): boolean {
  const { code, socket } = error as NodeJS.ErrnoException & { socket?: { bytesRead?: number } };
  if (code === 'ECONNRESET' || code === 'EPIPE') return true;
  return code === 'UND_ERR_SOCKET' && socket?.bytesRead !== 0;
}

/** Nobody accepted the connection, or not one more. */
export function isRefused(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
}
