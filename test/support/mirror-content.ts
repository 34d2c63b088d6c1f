/** What a correct server answers about a file: validators, conditions and ranges (RFC 9110 sections 13 and 14). */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Fault, MirrorRequest } from './mirror-fault.ts';
import { randomBytes } from './random.ts';

export interface Answer {
  status: number;
  /** Names in lower case. */
  readonly headers: Record<string, string>;
  body: Buffer;
}

const page = (status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'text/html', ...headers },
  body: Buffer.from(`<html>${status}</html>\n`),
});

export async function answerFor(root: string, request: MirrorRequest, fault: Fault): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return page(405);
  if (fault.redirect !== undefined) return page(fault.status ?? 302, { location: fault.redirect });
  if (fault.status !== undefined) return page(fault.status);
  const file = await readContent(root, request.path, fault);
  if (file === undefined) return page(404);
  request.size = file.data.length;
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'last-modified': file.modified.toUTCString(),
    etag: file.etag,
    'accept-ranges': 'bytes',
  };
  if (isNotModified(request, file)) return { status: 304, headers, body: Buffer.alloc(0) };
  const size = file.data.length;
  const range = fault.ignoreRange === true ? undefined : rangeOf(request, file);
  if (range === 'unsatisfiable') return page(416, { 'content-range': `bytes */${size}` });
  if (range !== undefined) {
    headers['content-range'] = fault.contentRange ?? `bytes ${range.start}-${range.end - 1}/${size}`;
    return { status: 206, headers, body: file.data.subarray(range.start, range.end) };
  }
  const accepts = (request.headers['accept-encoding'] ?? '').includes('gzip');
  if (fault.gzip === 'always' || (fault.gzip === 'accepted' && accepts)) {
    return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(file.data) };
  }
  return { status: 200, headers, body: file.data };
}

interface Content {
  readonly data: Buffer;
  readonly modified: Date;
  readonly etag: string;
}

async function readContent(root: string, path: string, fault: Fault): Promise<Content | undefined> {
  if (path.split('/').includes('..')) return undefined;
  let data = fault.content;
  let modified = new Date(1_767_225_600_000);
  if (data === undefined) {
    try {
      const target = join(root, path);
      modified = (await stat(target)).mtime;
      data = await readFile(target);
    } catch {
      return undefined;
    }
  }
  const etag = fault.etag ?? `"${Math.floor(modified.getTime() / 1000).toString(16)}-${data.length.toString(16)}"`;
  if (fault.garbage === true) data = randomBytes(`garbage ${path}`, data.length);
  if (fault.alterAt !== undefined) {
    data = Buffer.from(data);
    data[fault.alterAt] = (data[fault.alterAt] ?? 0) ^ 0x55;
  }
  return { data, modified, etag };
}

const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);

function isNotModified({ headers }: MirrorRequest, file: Content): boolean {
  const noneMatch = headers['if-none-match'];
  if (noneMatch !== undefined) {
    return noneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === file.etag || tag.trim() === '*');
  }
  const since = headers['if-modified-since'];
  return since !== undefined && seconds(file.modified) <= seconds(new Date(since));
}

function rangeOf(
  { headers }: MirrorRequest,
  file: Content,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers['range'] ?? '');
  if (match === null) return undefined;
  const ifRange = headers['if-range'];
  if (ifRange !== undefined && ifRange !== file.etag && ifRange !== file.modified.toUTCString()) return undefined;
  const size = file.data.length;
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return undefined;
    return Number(last) === 0 ? 'unsatisfiable' : { start: Math.max(size - Number(last), 0), end: size };
  }
  if (Number(first) >= size) return 'unsatisfiable';
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return end > Number(first) ? { start: Number(first), end } : undefined;
}
