/** Waiting for the signal that ends the daemon. */

/** SIGHUP is the end of the terminal that it was started from; Node does not keep it ignored for nohup anyway. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export interface NextSignal {
  readonly promise: Promise<NodeJS.Signals>;
  /** There is something to stop from now on; a signal before that ends the process. */
  begun(): void;
  dispose(): void;
}

/** The first SIGTERM, SIGINT or SIGHUP; a second one ends the process at once. */
export function nextSignal(): NextSignal {
  let handler: (signal: NodeJS.Signals) => void = () => undefined;
  let begun = false;
  const promise = new Promise<NodeJS.Signals>((resolve) => {
    let stopping = false;
    handler = (signal) => {
      if (!begun) process.exit(0);
      if (stopping) process.exit(1);
      stopping = true;
      resolve(signal);
    };
  });
  for (const signal of SIGNALS) process.on(signal, handler);
  return {
    promise,
    begun() {
      begun = true;
    },
    dispose() {
      for (const signal of SIGNALS) process.off(signal, handler);
    },
  };
}
