/** Waiting for the signal that ends the daemon. */

/** The first SIGTERM or SIGINT; a second one ends the process at once. */
export function nextSignal(): { promise: Promise<NodeJS.Signals>; dispose(): void } {
  let handler: (signal: NodeJS.Signals) => void = () => undefined;
  const promise = new Promise<NodeJS.Signals>((resolve) => {
    let stopping = false;
    handler = (signal) => {
      if (stopping) process.exit(1);
      stopping = true;
      resolve(signal);
    };
  });
  process.on('SIGTERM', handler);
  process.on('SIGINT', handler);
  return {
    promise,
    dispose() {
      process.off('SIGTERM', handler);
      process.off('SIGINT', handler);
    },
  };
}
