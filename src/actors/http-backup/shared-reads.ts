/**
 * What plain connections to mirrors bring is read into one buffer for all of them. By itself Node makes a new one of
 * 64 KiB for each read; touching so much memory for the first time, and collecting it, took a fifth of this thread's
 * time in a download of packages. A connection hands over what is in the buffer before the next one reads.
 *
 * undici reads sockets as streams. Its parser copies what it parses, and shows bodies for the time of a call only, but
 * it keeps the beginning of a head whose end has not come: that is copied for it. What it leaves, because it was told to
 * pause, is copied too, and the connection reads on when undici asks for more.
 */
import type { OnReadOpts, Socket } from 'node:net';

import { keepHead } from './undici-parser.ts';

/** Small enough to stay in the processor's cache while it is parsed, hashed and copied. */
const READ_BYTES = 64 * 1024;

const buffer = Buffer.allocUnsafeSlow(READ_BYTES);

export interface SharedRead {
  /** For `net.connect`. */
  readonly onread: OnReadOpts;
  /** To be called as soon as the socket is there. */
  attach(socket: Socket): void;
}

export function sharedRead(): SharedRead {
  let take: ((chunk: Buffer) => boolean) | undefined;
  return {
    onread: { buffer, callback: (bytes) => take?.(buffer.subarray(0, bytes)) ?? false },
    attach(socket) {
      take = handOver(socket);
    },
  };
}

/** Makes a socket's `read` and `unshift` those of its `onread`; returns what takes a chunk, and says whether to read on. */
function handOver(socket: Socket): (chunk: Buffer) => boolean {
  const streamRead = socket.read.bind(socket);
  let left: Buffer | undefined;

  socket.read = (size?: number): Buffer | null => {
    // Nothing is left: the stream says whether it has ended, and the socket reads on if it does not.
    if (left === undefined) return streamRead(size) as Buffer | null;
    if (size === 0) {
      // As a stream says it to those who have begun to listen just now.
      process.nextTick(() => socket.emit('readable'));
      return null;
    }
    const chunk = left;
    left = undefined;
    return chunk;
  };
  socket.unshift = (rest: Buffer): void => {
    if (rest.length === 0) return;
    const copy = Buffer.from(rest);
    left = left === undefined ? copy : Buffer.concat([copy, left]);
  };

  return (chunk) => {
    // After a pause, what was on its way: it comes after what is left.
    if (left !== undefined) left = Buffer.concat([left, chunk]);
    else {
      left = chunk;
      socket.emit('readable');
      keepHead(socket);
      if (left === chunk) left = Buffer.from(chunk);
    }
    return left === undefined;
  };
}
