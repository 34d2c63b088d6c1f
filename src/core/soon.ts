const resolved = Promise.resolve();

/**
 * Runs `task` as a microtask. Node's own queueMicrotask makes an AsyncResource for each and enters its scope, which
 * takes several times as long as the microtask; what `task` throws is an unhandled rejection here, which ends the
 * thread as an uncaught exception does.
 */
export function soon(task: () => void): void {
  void resolved.then(task);
}
