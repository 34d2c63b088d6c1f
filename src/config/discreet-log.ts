/** A log without passwords and queries of URLs, whichever part of the daemon says them. */
import { withoutSecrets } from '../core/http/shown.ts';
import type { Logger } from '../core/logging.ts';

export function discreet(log: Logger): Logger {
  return {
    debug: (fields, message) => log.debug(shown(fields), message),
    info: (fields, message) => log.info(shown(fields), message),
    warn: (fields, message) => log.warn(shown(fields), message),
    error: (fields, message) => log.error(shown(fields), message),
  };
}

/** The same object when there is nothing to leave out: most records are of a request, and have an URL without a query. */
function shown(fields: object): object {
  let changed: Record<string, unknown> | undefined;
  for (const key of Object.keys(fields)) {
    const value = (fields as Record<string, unknown>)[key];
    const replaced = typeof value === 'string' ? withoutSecrets(value) : shownError(value);
    if (replaced !== value) (changed ??= { ...fields })[key] = replaced;
  }
  return changed ?? fields;
}

/** Of errors, and of what is left of those of another thread, message and stack. */
function shownError(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('message' in value)) return value;
  const { name: type, message, stack, code } = value as Partial<NodeJS.ErrnoException>;
  if (typeof message !== 'string' || withoutSecrets(message) === message) return value;
  return { type, message: withoutSecrets(message), stack: withoutSecrets(stack ?? ''), code };
}
