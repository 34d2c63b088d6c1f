/**
 * What is let through to the DHT library of a datagram (BEP 5). The library calls methods of whatever it has decoded,
 * so a number where it expects bytes, or a dictionary with a key `toString`, ends the process. Here a message is taken
 * apart strictly and put together anew from the fields that are needed; stored items (BEP 44) are left out.
 */
import { readBencode, type Bencoded, type BencodedDict } from './bencode-reader.ts';

/** Larger datagrams are not looked at. */
export const DHT_DATAGRAM_LIMIT = 1500;

const ID = 20;
const NODE = 26;
const PEER = 6;
const MAX_NODES = 16;
const MAX_PEERS = 100;
const MAX_TOKEN = 64;
const MAX_TRANSACTION = 16;
/** The library numbers its own queries in two bytes. */
const OWN_TRANSACTION = 2;

/** The same message with nothing unexpected in it, or undefined when it is to be dropped. Never throws. */
export function cleanDhtMessage(datagram: Buffer): Buffer | undefined {
  if (datagram.length > DHT_DATAGRAM_LIMIT) return undefined;
  const message = readBencode(datagram);
  if (!(message instanceof Map)) return undefined;
  const dict: BencodedDict = message;
  switch (textOf(dict.get('y'))) {
    case 'q':
      return cleanQuery(dict);
    case 'r':
      return cleanReply(dict);
    case 'e':
      return cleanError(dict);
    default:
      return undefined;
  }
}

function cleanQuery(message: BencodedDict): Buffer | undefined {
  const transaction = bytesOf(message.get('t'), 1, MAX_TRANSACTION);
  const method = textOf(message.get('q'));
  const args = message.get('a');
  if (transaction === undefined || !(args instanceof Map)) return undefined;
  const given: BencodedDict = args;
  const id = bytesOf(given.get('id'), ID, ID);
  if (id === undefined) return undefined;
  const query = (name: string, fields: Record<string, Clean>) =>
    encode({ a: { id, ...fields }, q: Buffer.from(name), t: transaction, y: Buffer.from('q') });
  switch (method) {
    case 'ping':
      return query('ping', {});
    case 'find_node': {
      const target = bytesOf(given.get('target'), ID, ID);
      return target && query('find_node', { target });
    }
    case 'get_peers': {
      const hash = bytesOf(given.get('info_hash'), ID, ID);
      return hash && query('get_peers', { info_hash: hash });
    }
    case 'announce_peer': {
      const hash = bytesOf(given.get('info_hash'), ID, ID);
      const token = bytesOf(given.get('token'), 1, MAX_TOKEN);
      const implied = given.get('implied_port') === 1 ? 1 : 0;
      const port = given.get('port');
      if (hash === undefined || token === undefined) return undefined;
      if (typeof port !== 'number' || port < 0 || port > 65535) return undefined;
      return query('announce_peer', { implied_port: implied, info_hash: hash, port, token });
    }
    default:
      return undefined;
  }
}

function cleanReply(message: BencodedDict): Buffer | undefined {
  const transaction = bytesOf(message.get('t'), OWN_TRANSACTION, OWN_TRANSACTION);
  const reply = message.get('r');
  if (transaction === undefined || !(reply instanceof Map)) return undefined;
  const given: BencodedDict = reply;
  const id = bytesOf(given.get('id'), ID, ID);
  if (id === undefined) return undefined;
  const fields: Record<string, Clean> = { id };
  const nodes = bytesOf(given.get('nodes'), NODE, NODE * MAX_NODES);
  if (nodes !== undefined && nodes.length % NODE === 0) fields['nodes'] = nodes;
  const token = bytesOf(given.get('token'), 1, MAX_TOKEN);
  if (token !== undefined) fields['token'] = token;
  const values = given.get('values');
  if (Array.isArray(values)) {
    fields['values'] = values.slice(0, MAX_PEERS).flatMap((value) => bytesOf(value, PEER, PEER) ?? []);
  }
  return encode({ r: fields, t: transaction, y: Buffer.from('r') });
}

function cleanError(message: BencodedDict): Buffer | undefined {
  const transaction = bytesOf(message.get('t'), OWN_TRANSACTION, OWN_TRANSACTION);
  if (transaction === undefined) return undefined;
  const error = message.get('e');
  const code: unknown = Array.isArray(error) ? error[0] : undefined;
  const known = typeof code === 'number' && code >= 200 && code < 400 ? code : 201;
  return encode({ e: [known, Buffer.from('error')], t: transaction, y: Buffer.from('e') });
}

function bytesOf(value: Bencoded | undefined, least: number, most: number): Buffer | undefined {
  return Buffer.isBuffer(value) && value.length >= least && value.length <= most ? value : undefined;
}

function textOf(value: Bencoded | undefined): string | undefined {
  return bytesOf(value, 1, 32)?.toString('latin1');
}

type Clean = number | Buffer | readonly Clean[] | { readonly [key: string]: Clean };

/** Keys come in the order in which they are given; bencode wants it to be theirs. */
function encode(value: Clean): Buffer {
  if (typeof value === 'number') return Buffer.from(`i${value}e`);
  if (Buffer.isBuffer(value)) return Buffer.concat([Buffer.from(`${value.length}:`), value]);
  if (Array.isArray(value)) return Buffer.concat([Buffer.from('l'), ...value.map(encode), Buffer.from('e')]);
  const entries = Object.entries(value as { readonly [key: string]: Clean });
  const parts = entries.map(([key, entry]) => Buffer.concat([Buffer.from(`${key.length}:${key}`), encode(entry)]));
  return Buffer.concat([Buffer.from('d'), ...parts, Buffer.from('e')]);
}
