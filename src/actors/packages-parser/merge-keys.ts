/**
 * Keyrings put together as gpgv is to see them: of several copies of a key it takes the first, whatever the others say.
 * An old copy, left by whoever installed a key once more after it had been extended, would make it expired for good.
 */
import { IDENTITY_TAGS, PUBLIC_KEY, PUBLIC_SUBKEY, readPacket } from './openpgp-keys.ts';

/** A key, subkey or user id with the signatures about it. */
interface Component {
  readonly packet: Buffer;
  readonly about: Map<string, Buffer>;
}

const SIGNATURE = 2;

/**
 * All keys of the keyrings, which are as readKeys gives them, each key once. Copies that differ are joined: each part of
 * the key has the signatures of all copies, of which verifiers take the newest, but a revocation always counts.
 */
export function mergeKeys(keyrings: readonly Buffer[]): Buffer {
  const keys = new Map<string, Buffer[]>();
  for (const block of keyrings.flatMap(blocksOf)) {
    const name = content(block);
    const copies = keys.get(name) ?? [];
    if (!copies.some((copy) => copy.equals(block))) keys.set(name, [...copies, block]);
  }
  return Buffer.concat([...keys.values()].flatMap((copies) => (copies.length > 1 ? join(copies) : copies)));
}

/** Of each key its packet and all that follow up to the next key. */
function blocksOf(keyring: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < keyring.length;) {
    const packet = readPacket(keyring, at);
    if (!packet) break;
    if (packet.tag === PUBLIC_KEY && at > from) {
      blocks.push(keyring.subarray(from, at));
      from = at;
    }
    at = packet.end;
  }
  if (from < keyring.length) blocks.push(keyring.subarray(from));
  return blocks;
}

/** In the order of OpenPGP (RFC 9580, section 10.1): the key, its user ids, its subkeys. */
function join(copies: readonly Buffer[]): Buffer[] {
  const components = new Map<string, Component>();
  for (const block of copies) {
    let component: Component | undefined;
    for (let at = 0; at < block.length;) {
      const packet = readPacket(block, at);
      if (!packet) break;
      const bytes = block.subarray(at, packet.end);
      if (packet.tag === SIGNATURE) component?.about.set(content(bytes), bytes);
      else if (packet.tag === PUBLIC_KEY || packet.tag === PUBLIC_SUBKEY || IDENTITY_TAGS.has(packet.tag)) {
        const name = content(bytes);
        component = components.get(name) ?? { packet: bytes, about: new Map() };
        components.set(name, component);
      }
      // what else there is, such as what GnuPG notes for itself, is about one copy
      at = packet.end;
    }
  }
  const isSubkey = ({ packet }: Component): boolean => readPacket(packet, 0)?.tag === PUBLIC_SUBKEY;
  const all = [...components.values()];
  const ordered = [...all.filter((each) => !isSubkey(each)), ...all.filter(isSubkey)];
  return ordered.flatMap(({ packet, about }) => [packet, ...about.values()]);
}

/** What the first packet says, however its length is written. */
function content(bytes: Buffer): string {
  const packet = readPacket(bytes, 0);
  return packet ? `${packet.tag} ${bytes.toString('latin1', packet.body, packet.end)}` : '';
}
