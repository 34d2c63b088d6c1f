/**
 * What V8 is told because of how this daemon works: each with what was measured. Flags are of the whole process, read
 * by its threads as they go; those of heaps when a thread starts. V8 writes to standard error when it does not know one.
 */
import { setFlagsFromString } from 'node:v8';

/** Megabytes that a thread's heap may grow to before V8 looks for garbage in all of it. */
const ROOMY_HEAP_MB = 32;
/** Bytes of bytecode that a function runs, loops included, until V8 optimises it; its own measure is 66 KiB. */
const OPTIMISE_AFTER = 1_000_000;

/** Before threads start. */
export function flagsForThreads(): void {
  /*
   * WebAssembly stays as its quick compiler makes it. The only one is undici's parser of HTTP heads; to compile it once
   * more for speed took a quarter of a second of processor time after the first hundred answers (measured: 400 small
   * requests 0.50 s, 0.22 s without), which is when APT waits, and bodies do not pass through it byte by byte.
   */
  setFlagsFromString('--liftoff-only');
  /*
   * Buffers count as heap of the thread that makes them, and TLS makes one for each read: with V8's own measure the
   * fetch thread collects all of its heap some twenty times while 300 MB go through, on a processor that clients need
   * (measured: a third of its time; in the swarm thread 1 of 4 s for 1 GiB from a peer).
   */
  setFlagsFromString(`--initial-old-space-size=${ROOMY_HEAP_MB}`);
}

/**
 * When the daemon is ready, and for the APT method: what runs from now on runs again and again, so functions are
 * compiled quickly at their first call. APT's work is a matter of seconds and the code for it is large and flat, so
 * optimising compilation, which starts after a few hundred calls, costs more than it gives; it is put off to where it
 * pays. Measured on two processors: eight daemons that fetch at once take 2.7 to 3 s of processor time each in place of
 * 3.4 to 4, the method 0.81 of what APT's http method takes in place of 0.92 to 1.05. V8 13, of Node 24, has another
 * measure and a compiler in between (Maglev), and is left alone.
 */
export function flagsForWork(): void {
  if (!process.versions.v8.startsWith('11.')) return;
  setFlagsFromString('--always-sparkplug');
  setFlagsFromString(`--interrupt-budget=${OPTIMISE_AFTER}`);
}
