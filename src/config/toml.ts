/** Reads the configuration file to texts: keys are settings, values are what the flag would be given. */
import { closeSync, openSync, readSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { DebtorrentError } from '../core/errors.ts';
import { isSettingName, SETTINGS, type SettingName } from './schema.ts';

const MAX_FILE_BYTES = 1 << 20;

/**
 * @param required false: a file that is not there has no settings.
 * @throws DebtorrentError CONFIG_INVALID
 */
export function readToml(file: string, required: boolean): ReadonlyMap<SettingName, readonly string[]> {
  const settings = new Map<SettingName, readonly string[]>();
  for (const [key, value] of Object.entries(parseFile(file, required))) {
    if (!isSettingName(key) || key === 'config') throw invalid(`${file}: '${key}' is no setting`);
    const texts = Array.isArray(value) && SETTINGS[key].repeatable ? value.map(toText) : [toText(value)];
    if (!texts.every((text) => text !== undefined)) {
      const expected = SETTINGS[key].repeatable ? 'a list of strings' : 'a single value';
      throw invalid(`${key} in ${file}: '${JSON.stringify(value)}' is not ${expected}`);
    }
    settings.set(key, texts);
  }
  return settings;
}

function parseFile(file: string, required: boolean): Record<string, unknown> {
  const text = readBounded(file, required);
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n', 1)[0] ?? '';
    throw invalid(`${file}, line ${error.line}: ${reason}`);
  }
}

function readBounded(file: string, required: boolean): string {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  let length = 0;
  try {
    const fd = openSync(file, 'r');
    try {
      for (let read = -1; read !== 0; length += read) read = readSync(fd, buffer, length, buffer.length - length, null);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return '';
    throw invalid(`config: '${file}' cannot be read (${code})`);
  }
  if (length > MAX_FILE_BYTES) throw invalid(`config: '${file}' is larger than ${MAX_FILE_BYTES} bytes`);
  return buffer.toString('utf8', 0, length);
}

function toText(value: unknown): string | undefined {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' ? value : undefined;
}

function invalid(message: string): DebtorrentError {
  return new DebtorrentError('CONFIG_INVALID', message);
}
