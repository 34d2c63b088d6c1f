/**
 * One announcement to an HTTP tracker. Not by way of bittorrent-tracker's client: that one reads answers of any length,
 * follows redirects anywhere, and an answer that breaks off ends the process.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { parseTrackerAnswer, type TrackerAnswer } from '../../core/swarm/tracker-answer.ts';
import { ANNOUNCE_EVENTS, type Announcement } from '../../core/swarm/udp-tracker-messages.ts';

/** 200 addresses with peer ids have some 20 KB. */
const MAX_ANSWER = 256 << 10;
/** Node gives each address of a name up after 250 ms as long as there is another, and a tracker may be farther away. */
const ADDRESS_MS = 5_000;

export interface AnnounceResult {
  readonly answer: TrackerAnswer;
  /** IP address of the tracker. */
  readonly tracker: string | undefined;
}

/** @throws Error with one line that says what the tracker did; when `signal` fires, its reason. */
export function announceHttp(
  url: URL,
  what: Announcement,
  signal: AbortSignal,
  ca: (() => string[]) | undefined,
): Promise<AnnounceResult> {
  const target = announceUrl(url, what);
  const secure = url.protocol === 'https:';
  const options = {
    signal,
    agent: false,
    autoSelectFamilyAttemptTimeout: ADDRESS_MS,
    headers: { 'User-Agent': 'debtorrent', Accept: '*/*', Connection: 'close' },
    ...(secure && ca ? { ca: ca() } : {}),
  } as const;
  return new Promise((resolve, reject) => {
    const asked = (secure ? httpsRequest : httpRequest)(target, options, (answer) => {
      readAnswer(answer).then(resolve, (error: unknown) => {
        asked.destroy();
        reject(signal.aborted ? (signal.reason as Error) : (error as Error));
      });
    });
    asked.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    asked.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('it answered with an upgrade'));
    });
    asked.end();
  });
}

/** Ids go as escaped bytes (BEP 3); what the URL has already, such as a passkey, stays. A bare host means /announce. */
function announceUrl(url: URL, what: Announcement): URL {
  const target = new URL(url);
  if (target.pathname === '/') target.pathname = '/announce';
  const escaped = (hex: string) => hex.replaceAll(/../g, '%$&');
  const fields = [
    `info_hash=${escaped(what.infoHash)}`,
    `peer_id=${escaped(what.peerId)}`,
    `port=${what.port}`,
    'uploaded=0&downloaded=0&left=1&compact=1',
    `numwant=${what.wanted}`,
    `key=${what.key.toString(16)}`,
    ...(ANNOUNCE_EVENTS[what.event] === 0 ? [] : [`event=${what.event}`]),
  ].join('&');
  target.search = target.search === '' ? `?${fields}` : `${target.search}&${fields}`;
  return target;
}

async function readAnswer(answer: IncomingMessage): Promise<AnnounceResult> {
  const { statusCode = 0, headers, socket } = answer;
  const tracker = socket.remoteAddress;
  if (statusCode >= 300 && statusCode < 400) throw new Error(`it redirects (${statusCode}), which is not followed`);
  if (statusCode !== 200) throw new Error(`it answered ${statusCode}`);
  if (headers['content-encoding'] !== undefined) throw new Error('its answer is compressed');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return { answer: parseTrackerAnswer(Buffer.concat(chunks)), tracker };
}
