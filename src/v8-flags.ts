/** What V8 is told because of how this daemon works: each with what was measured. */
import { setFlagsFromString } from 'node:v8';

/**
 * WebAssembly stays as its quick compiler makes it. The only one is undici's parser of HTTP heads; to compile it once
 * more for speed took a quarter of a second of processor time after the first hundred answers (measured: 400 small
 * requests 0.50 s, 0.22 s without), which is when APT waits, and bodies do not pass through it byte by byte.
 */
export function compileWasmOnce(): void {
  setFlagsFromString('--liftoff-only');
}

/** Megabytes that a thread's heap may grow to before V8 looks for garbage in all of it. */
const ROOMY_HEAP_MB = 32;

/**
 * For threads that start from now on. Buffers count as heap of the thread that makes them, and TLS makes one for each
 * read: with V8's own measure the fetch thread collects all of its heap some twenty times while 300 MB go through, on a
 * processor that clients need (measured: a third of its time; in the swarm thread 1 of 4 s for 1 GiB from a peer).
 */
export function roomyHeaps(): void {
  setFlagsFromString(`--initial-old-space-size=${ROOMY_HEAP_MB}`);
}
