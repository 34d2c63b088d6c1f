/**
 * Answers with a file: conditions and ranges (RFC 9110 sections 13 and 14), then its bytes from the store, as far as
 * they are there, while the rest still comes. An answer whose file turns out wrong ends short.
 */
import { asDebtorrentError, DebtorrentError, type ErrorCode } from '../core/errors.ts';
import { evaluateConditions } from '../core/http/conditional.ts';
import { contentRange, evaluateRange, unsatisfiedRange } from '../core/http/range.ts';
import type { DatedClock } from '../core/clock.ts';
import { ReadyMark } from '../core/ready-mark.ts';
import type { ActorRef } from '../kernel/protocol.ts';
import type { ArrivingFile, FileHead, TransfersProtocol, WholeFile } from '../actors/transfers/protocol.ts';
import { etagOf, fileHeaders } from './answer.ts';
import type { ClientExchange } from './exchange.ts';
import { hashRange, sendRange } from './file-reader.ts';
import { ReadableFile } from './readable-file.ts';

export interface SendFileDeps {
  readonly transfers: ActorRef<TransfersProtocol>;
  readonly date: DatedClock['date'];
}

/** With these an answer goes on past the store. */
export const STORE_FAULTS = new Set<ErrorCode>(['STORE_FULL', 'STORE_IO', 'ACTOR_STOPPED', 'ACTOR_FAILED']);
/** Headers of an answer whose body does not come wait this long for it, in milliseconds. */
const FLUSH_MS = 20;
/** The beginning of a range, when the file comes in order, is waited for as long as this, in milliseconds. */
const SOON_MS = 5_000;

/** What to send after the headers; undefined when the headers were the whole answer. */
type Extent = { readonly start: number; readonly end: number | undefined } | undefined;

/**
 * Writes status and headers for the file as far as it is known; says what of it is to follow. Headers that have been
 * written stand: then the same file began anew.
 */
export function sendFileHead(
  client: ClientExchange,
  head: FileHead & { readonly source: WholeFile['source']; readonly stale?: boolean },
  signed: boolean,
  now: number,
): Extent {
  if (client.promised !== undefined) {
    checkSize(client.promised.file, head);
    if (client.promised.file.sha256 === undefined && !sameFile(client.promised.file, head, client.hasBytes)) {
      throw new DebtorrentError('HASH_MISMATCH', 'the file changed on its way');
    }
    return client.promised;
  }
  const etag = etagOf(head, signed);
  const headers = fileHeaders(head, etag, head.source, head.stale === true, client.askAgain);
  client.source = head.source;
  const conditions = conditionsOf(client, head, etag, now);
  if (conditions === 'not-modified') {
    client.writeHead(304, headers);
    client.end();
    return undefined;
  }
  if (head.size === undefined) {
    client.writeHead(200, headers);
    return promise(client, head, { start: 0, end: undefined });
  }
  const range = conditions === 'range-allowed' ? evaluateRange(client.range(), head.size) : 'full';
  if (range === 'unsatisfiable') {
    const line = 'the range starts beyond the end of the file\n';
    client.errorCode = 'RANGE_NOT_SATISFIABLE';
    client.writeHead(416, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': line.length,
      'Content-Range': unsatisfiedRange(head.size),
      'X-Debtorrent-Error': 'RANGE_NOT_SATISFIABLE',
    });
    client.end(line);
    return undefined;
  }
  if (range === 'full') {
    client.writeHead(200, { ...headers, 'Content-Length': head.size });
    return promise(client, head, { start: 0, end: head.size });
  }
  client.writeHead(206, {
    ...headers,
    'Content-Length': range.end - range.start,
    'Content-Range': contentRange(range, head.size),
  });
  return promise(client, head, range);
}

function conditionsOf(client: ClientExchange, head: FileHead, etag: string | undefined, now: number) {
  const lastModified = head.lastModified === undefined ? undefined : Date.parse(head.lastModified);
  const headers = {
    ifNoneMatch: client.header('if-none-match'),
    ifModifiedSince: client.header('if-modified-since'),
    ifRange: client.header('if-range'),
  };
  return evaluateConditions(headers, { etag, lastModified }, now);
}

/** The first byte that the client is to get. */
function startOf(client: ClientExchange, head: FileHead, signed: boolean, now: number): number {
  if (conditionsOf(client, head, etagOf(head, signed), now) !== 'range-allowed' || head.size === undefined) return 0;
  const range = evaluateRange(client.range(), head.size);
  return typeof range === 'string' ? 0 : range.start;
}

/** What was announced was a wrong file, if the right one has another size: its bytes do not fit these headers. */
export function checkSize(announced: FileHead, { size }: { readonly size?: number | undefined }): void {
  if (announced.size === undefined || size === undefined || announced.size === size) return;
  throw new DebtorrentError('HASH_MISMATCH', `the file has ${size} bytes, ${announced.size} were announced`);
}

/**
 * As far as a mirror says, the head of an answer is of the same bytes as what comes now. Where the client has bytes of it,
 * the mirror has to have said something; what it has nothing of comes from one answer whatever follows.
 */
export function sameFile(
  before: FileHead,
  now: Partial<Pick<FileHead, 'size' | 'etag' | 'lastModified'>>,
  hasBytes: boolean,
): boolean {
  if (before.size !== now.size || before.etag !== now.etag) return false;
  if (before.etag !== undefined) return true;
  return before.lastModified === now.lastModified && (before.lastModified !== undefined || !hasBytes);
}

/** Headers of a 200 with the whole file. */
export function wholeHeaders(file: WholeFile, signed: boolean, askAgain: boolean): Record<string, string> {
  const headers = fileHeaders(file, etagOf(file, signed), file.source, file.stale, askAgain);
  return { ...headers, 'Content-Length': String(file.size) };
}

/** Notes what has to follow the headers; nothing does after those of a HEAD. */
function promise(client: ClientExchange, file: FileHead, extent: NonNullable<Extent>): Extent {
  if (client.head) {
    client.end();
    return undefined;
  }
  client.promised = { file, start: extent.start, end: extent.end };
  return extent;
}

/**
 * Opens a whole file, which may move to its final path meanwhile. Undefined when it has been removed or is not as long
 * as it should be, or not the one of that identity: ask for it again.
 */
export async function openWhole(file: WholeFile, identity?: string): Promise<ReadableFile | undefined> {
  for (const path of new Set([file.path, file.finalPath])) {
    const readable = await ReadableFile.open(path);
    if (readable?.size === file.size && (identity ?? readable.identity) === readable.identity) return readable;
    readable?.close();
  }
  return undefined;
}

export async function sendWhole(
  deps: SendFileDeps,
  client: ClientExchange,
  file: WholeFile,
  readable: ReadableFile,
  signed: boolean,
): Promise<void> {
  try {
    const extent = sendFileHead(client, file, signed, deps.date());
    if (extent === undefined) return;
    const sent = await sendRange(client, readable, extent.start, extent.end ?? file.size);
    if (sent) client.end();
    else client.cutShort();
  } catch (error) {
    await noteSent(client, readable, error);
    throw error;
  } finally {
    readable.close();
  }
}

/** What goes on past the store has to begin with the bytes that were sent. */
async function noteSent(client: ClientExchange, readable: ReadableFile | undefined, error: unknown): Promise<void> {
  const { promised, bytes } = client;
  if (readable === undefined || promised === undefined || !STORE_FAULTS.has(asDebtorrentError(error).code)) return;
  const sent = hashRange(readable, promised.start, promised.start + bytes);
  client.sentSha256 = await sent.catch(() => undefined);
}

/**
 * A file without a hash comes from its beginning. Who asks for the rest of one would wait in silence for what it has
 * already, as APT does for 30 s: after a moment it is given all of it, of which there is something to send.
 */
async function comesSoon({ transfers }: SendFileDeps, { id, epoch }: ArrivingFile, start: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, SOON_MS, false)));
  const comes = transfers
    .within(30_000)
    .ask('wait', id, start, epoch)
    .then(() => true);
  try {
    return await Promise.race([comes, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What came of an answer: with nothing of its body sent yet, the file was `gone`, or its transfer began `anew`. */
export type Sending = 'sent' | 'gone' | 'anew';

/**
 * Sends what is there and what comes. When the file has arrived and moved before it could be opened, or its transfer began
 * anew: ask for it again. Throws what the transfer fails with.
 */
export async function sendArriving(
  deps: SendFileDeps,
  client: ClientExchange,
  file: ArrivingFile,
  signed: boolean,
): Promise<Sending> {
  const { transfers } = deps;
  let readable: ReadableFile | undefined;
  let flush: NodeJS.Timeout | undefined;
  try {
    readable = await ReadableFile.open(file.path);
    if (readable === undefined) return 'gone';
    const ready = new ReadyMark(file.ready);
    if (file.sha256 === undefined && client.promised === undefined) {
      const start = startOf(client, file, signed, deps.date());
      if (ready.end < start && !(await comesSoon(deps, file, start))) client.wholeOnly = true;
      if (client.gone) return 'sent';
    }
    const extent = sendFileHead(client, file, signed, deps.date());
    if (extent === undefined) return 'sent';
    // The client has nothing of it, from before neither: the same file may come from elsewhere.
    const clean = () => client.bytes === 0 && extent.start === 0;
    // headers are kept back until there is a body to go with them, which a stalled mirror may not send for long
    flush = setTimeout(() => client.flushHead(), FLUSH_MS);
    let position = extent.start;
    let end = extent.end;
    while (end === undefined || position < end) {
      let available = ready.end;
      if (available <= position) {
        const progress = await transfers.within(30_000).ask('wait', file.id, position, file.epoch);
        if (client.gone) return 'sent';
        const over = progress.kind === 'restarted' || progress.kind === 'failed';
        if (over && progress.epoch !== file.epoch && !clean()) {
          throw new DebtorrentError('HASH_MISMATCH', 'the file changed on its way');
        }
        if (progress.kind === 'restarted') return 'anew';
        if (progress.kind === 'failed') throw new DebtorrentError(progress.code, progress.message);
        if (progress.kind === 'file') end ??= progress.size;
        available = progress.kind === 'file' ? progress.size : progress.end;
      }
      const until = Math.min(available, end ?? available);
      if (until > position && !(await sendRange(client, readable, position, until))) {
        client.cutShort();
        return 'sent';
      }
      position = Math.max(position, until);
    }
    client.end();
    return 'sent';
  } catch (error) {
    await noteSent(client, readable, error);
    throw error;
  } finally {
    clearTimeout(flush);
    transfers.tell('leave', file.id);
    readable?.close();
  }
}
