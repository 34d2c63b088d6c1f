/** The messages of BEP 10 that links speak, and how the wire is told of them. */
export type ExtensionName = keyof typeof EXTENSIONS;

/** Numbers under which this side takes the messages, in the order of `use`. */
export const EXTENSIONS = { dt_files: 1, ut_pex: 2 } as const;

/** The wire finds the name of an extension on the prototype of its class. */
export function extension(name: ExtensionName, heard: (payload: Uint8Array) => void) {
  class Extension {
    onMessage(payload: Uint8Array): void {
      heard(payload);
    }
  }
  Object.assign(Extension.prototype, { name });
  return Extension;
}
