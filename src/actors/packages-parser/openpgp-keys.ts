/** OpenPGP keyrings as files: taking off the armour and telling whether gpgv can read what is inside (RFC 9580). */

const ARMOUR = '-----BEGIN PGP PUBLIC KEY BLOCK-----';
export const PUBLIC_KEY = 6;
export const PUBLIC_SUBKEY = 14;
/** User ids and attributes: what comes next is about the key again and not about a subkey. */
export const IDENTITY_TAGS: ReadonlySet<number> = new Set([13, 17]);
/** GnuPG 2.2 and before give up a whole keyring at the first key of a later version (RFC 9580 has 6, GnuPG 2.3 5). */
const HIGHEST_VERSION = 4;
/** What a keyring may hold: keys, signatures, trust, user ids and attributes, padding, marker, private notes. */
const KEYRING_TAGS: ReadonlySet<number> = new Set([2, 6, 10, 12, 13, 14, 17, 21]);

/** Binary keys, to be put one file after the other; undefined for what is no keyring. */
export function readKeys(file: Buffer): Buffer | undefined {
  const keys = (file[0] ?? 0) & 0x80 ? file : dearmour(file.toString('latin1'));
  return keys !== undefined && isKeyring(keys) ? keys : undefined;
}

/** GnuPG's keybox, which gpgv reads as it is and which cannot be put together with others. */
export function isKeybox(file: Buffer): boolean {
  return file.subarray(8, 12).toString('latin1') === 'KBXf';
}

/** All blocks of the file (RFC 9580, section 6); checksums are not needed, as damage shows in the packets. */
function dearmour(text: string): Buffer | undefined {
  const blocks: Buffer[] = [];
  let at = text.indexOf(ARMOUR);
  while (at >= 0) {
    const end = text.indexOf('-----END', at);
    if (end < 0) return undefined;
    const lines = text
      .slice(at + ARMOUR.length, end)
      .split('\n')
      .map((line) => line.trim());
    // headers, if any, end with an empty line; the line after the armour is empty at least
    const bodyStart = lines.indexOf('', 1);
    const body = lines.slice(bodyStart + 1).filter((line) => line !== '' && !line.startsWith('='));
    blocks.push(Buffer.from(body.join(''), 'base64'));
    at = text.indexOf(ARMOUR, end);
  }
  return blocks.length > 0 ? Buffer.concat(blocks) : undefined;
}

/** Whether packets follow each other up to the end, the first being a public key. */
function isKeyring(bytes: Buffer): boolean {
  let at = 0;
  while (at < bytes.length) {
    const packet = readPacket(bytes, at);
    if (!packet || !KEYRING_TAGS.has(packet.tag) || (at === 0 && packet.tag !== PUBLIC_KEY)) return false;
    at = packet.end;
  }
  return at === bytes.length && at > 0;
}

/** Keys as readKeys gives them, sorted by who reads them. */
export interface SortedKeys {
  /** For every verifier: without keys and subkeys of later versions and the packets that belong to them. */
  readonly common: Buffer;
  /** Whole keys that have something of a later version. */
  readonly later: Buffer;
}

export function sortKeys(keys: Buffer): SortedKeys {
  const common: Buffer[] = [];
  const later: Buffer[] = [];
  let keyAt = 0;
  let isLater = false;
  let keyKept = false;
  let kept = false;
  const endKey = (end: number): void => void (isLater && later.push(keys.subarray(keyAt, end)));
  for (let at = 0; at < keys.length;) {
    const packet = readPacket(keys, at);
    if (!packet) break;
    const { tag, body, end } = packet;
    const known = (keys[body] ?? 0) <= HIGHEST_VERSION;
    if (tag === PUBLIC_KEY) {
      endKey(at);
      [keyAt, isLater, keyKept, kept] = [at, !known, known, known];
    } else if (tag === PUBLIC_SUBKEY) {
      isLater ||= !known;
      kept = keyKept && known;
    } else if (IDENTITY_TAGS.has(tag)) kept = keyKept;
    if (kept) common.push(keys.subarray(at, end));
    at = end;
  }
  endKey(keys.length);
  return { common: Buffer.concat(common), later: Buffer.concat(later) };
}

/** A packet's tag, body and end (RFC 9580, section 4.2); undefined for one that does not end within the bytes. */
export function readPacket(bytes: Buffer, at: number): { tag: number; body: number; end: number } | undefined {
  const head = bytes[at] as number;
  const first = bytes[at + 1];
  if ((head & 0x80) === 0 || first === undefined) return undefined;
  let body: number | undefined;
  let length = 0;
  if ((head & 0x40) === 0) {
    const bytesOfLength = [1, 2, 4][head & 3];
    if (bytesOfLength === undefined || at + 1 + bytesOfLength > bytes.length) return undefined;
    length = bytes.readUIntBE(at + 1, bytesOfLength);
    body = at + 1 + bytesOfLength;
  } else if (first < 192) {
    [length, body] = [first, at + 2];
  } else if (first < 224 && at + 3 <= bytes.length) {
    [length, body] = [((first - 192) << 8) + (bytes[at + 2] as number) + 192, at + 3];
  } else if (first === 255 && at + 6 <= bytes.length) {
    [length, body] = [bytes.readUInt32BE(at + 2), at + 6];
  }
  if (body === undefined || body + length > bytes.length) return undefined;
  return { tag: (head & 0x40) === 0 ? (head >> 2) & 0xf : head & 0x3f, body, end: body + length };
}
