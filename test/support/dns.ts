/**
 * A name server for one network of a test: A and SRV records over UDP (RFC 1035, RFC 2782), NXDOMAIN for other names.
 * It answers the only question of a query and takes nothing else from it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export interface Zone {
  /** Name, in lower case, to IPv4 address. */
  readonly a: Readonly<Record<string, string>>;
  readonly srv: Readonly<Record<string, { readonly target: string; readonly port: number }>>;
}

const HEADER = 12;
const TYPE = { a: 1, srv: 33 };
const CLASS_IN = 1;
const NXDOMAIN = 3;
const TTL_S = 60;

const labels = (name: string): Buffer =>
  Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.of(0)]);

const u16 = (...values: readonly number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));

/** @returns undefined for what is no query with a question. */
function reply(query: Buffer, zone: Zone): Buffer | undefined {
  const parts: string[] = [];
  let at = HEADER;
  while (at < query.length && query[at] !== 0) {
    const length = query[at] ?? 0;
    parts.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  if (at + 5 > query.length) return undefined;
  const name = parts.join('.').toLowerCase();
  const type = query.readUInt16BE(at + 1);
  const address = zone.a[name];
  const service = zone.srv[name];
  let data: Buffer | undefined;
  if (type === TYPE.a && address !== undefined) data = Buffer.from(address.split('.').map(Number));
  if (type === TYPE.srv && service !== undefined) {
    data = Buffer.concat([u16(0, 0, service.port), labels(service.target)]);
  }
  const known = address !== undefined || service !== undefined;
  const flags = 0x8580 | (known ? 0 : NXDOMAIN);
  const head = Buffer.concat([query.subarray(0, 2), u16(flags, 1, data === undefined ? 0 : 1, 0, 0)]);
  const question = query.subarray(HEADER, at + 5);
  if (data === undefined) return Buffer.concat([head, question]);
  return Buffer.concat([head, question, u16(0xc000 | HEADER, type, CLASS_IN, 0, TTL_S, data.length), data]);
}

/** Listens on port 53 of `address` until it is closed. */
export async function startDns(address: string, zone: Zone): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const answer = reply(query, zone);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return socket;
}
