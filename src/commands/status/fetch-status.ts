/** Asks a daemon for its report. */
import { request, type IncomingMessage } from 'node:http';
import { DebtorrentError } from '../../core/errors.ts';
import { formatAuthority } from '../../core/http/authority.ts';

const TIMEOUT_MS = 5_000;
/** It answers to this whatever its machine is called here: other names are refused for the sake of browsers. */
const HEADERS = { Host: 'localhost' };
/** More than any daemon says: thousands of transfers fit. */
const MAX_REPORT_BYTES = 16 << 20;

/** @throws DebtorrentError MIRROR_UNREACHABLE when no daemon answers there. */
export async function fetchStatus(host: string, port: number): Promise<unknown> {
  const where = formatAuthority(host, port);
  try {
    return await new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const asked = request({ host, port, path: '/status.json', headers: HEADERS, agent: false, signal }, (answer) => {
        if (answer.statusCode === 200) readReport(answer).then(resolve, reject);
        else reject(new Error(`it answered ${answer.statusCode}`));
      });
      asked.on('error', reject).end();
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ECONNREFUSED') throw new DebtorrentError('MIRROR_UNREACHABLE', `no daemon is running on ${where}`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new DebtorrentError('MIRROR_UNREACHABLE', `no daemon answers on ${where}: ${reason}`, { cause: error });
  }
}

async function readReport(answer: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of answer.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if (text.length > MAX_REPORT_BYTES) throw new Error('its answer is too long');
  }
  return JSON.parse(text) as unknown;
}
