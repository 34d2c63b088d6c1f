import fc from 'fast-check';
import t from 'tap';

import { FrameGuard, HANDSHAKE_BYTES } from '../../../../src/actors/swarm/link/frame-guard.ts';
import { handshakeBytes, u32 } from './fixtures/bare.ts';

const HANDSHAKE = handshakeBytes(Buffer.alloc(20, 'p'));

function run(chunks: readonly Buffer[], maxFrame = 1000) {
  const got = { handshakes: [] as Buffer[], frames: [] as Buffer[], blocks: 0, unused: 0, faults: [] as string[] };
  const guard = new FrameGuard(
    {
      handshake: (bytes) => got.handshakes.push(Buffer.from(bytes)),
      frame: (bytes) => got.frames.push(Buffer.from(bytes)),
      room: (_index, _offset, length) => Buffer.alloc(length),
      block(index, offset, data) {
        got.blocks += 1;
        got.frames.push(Buffer.concat([u32(data.length + 9), Buffer.of(7), u32(index, offset), data]));
      },
      unused: () => (got.unused += 1),
      fault: (message) => got.faults.push(message),
    },
    maxFrame,
  );
  for (const chunk of chunks) guard.push(chunk);
  return got;
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...new Set(at.map((each) => each % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

t.test('however the bytes are cut, the same frames come out', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 1000 })), { maxLength: 8 }),
      fc.array(fc.nat(20_000), { maxLength: 40 }),
      (messages, cuts) => {
        const payloads = messages.map(([piece, bytes]) => (piece ? bytes.fill(7, 0, 1) : bytes));
        const frames = payloads.map((payload) => Buffer.concat([u32(payload.length), payload]));
        const got = run(cut(Buffer.concat([HANDSHAKE, ...frames]), cuts));
        t.strictSame(got.faults, []);
        return (
          Buffer.concat(got.handshakes).equals(HANDSHAKE) &&
          got.frames.length === frames.length &&
          got.blocks === payloads.filter((payload) => payload[0] === 7 && payload.length > 9).length &&
          got.frames.every((each, i) => each.equals(frames[i] ?? Buffer.alloc(0)))
        );
      },
    ),
    { numRuns: 200 },
  );
  t.end();
});

t.test('a length beyond the bound is a fault when its fourth byte is there, however it is cut', (t) => {
  for (const cuts of [[], [70], [71], [69, 70, 71]]) {
    const got = run(cut(Buffer.concat([HANDSHAKE, u32(1001)]), cuts));
    t.strictSame(got.faults, ['a frame of 1001 bytes']);
    t.strictSame(got.frames, []);
  }
  t.end();
});

t.test('a block may be longer than other frames, which are known by their number', (t) => {
  const sink = { handshake: () => {}, frame: () => {}, room: (_i: number, _o: number, n: number) => Buffer.alloc(n) };
  for (const [length, id, fault] of [
    [2000, 7, undefined],
    [2001, 7, 'a frame of 2001 bytes'],
    [1000, 20, undefined],
    [1001, 20, 'a frame of 1001 bytes'],
  ] as const) {
    for (const cuts of [[], [72], [73], [70, 71, 72, 73, 74]]) {
      const faults: string[] = [];
      const there = { ...sink, block: () => {}, unused: () => {}, fault: (message: string) => faults.push(message) };
      const guard = new FrameGuard(there, 1000);
      guard.maxPiece = 2000;
      const bytes = Buffer.concat([HANDSHAKE, u32(length), Buffer.of(id), Buffer.alloc(8)]);
      for (const chunk of cut(bytes, cuts)) guard.push(chunk);
      t.strictSame(faults, fault === undefined ? [] : [fault], `${length} ${id} ${cuts.join()}`);
    }
  }
  t.end();
});

t.test('nothing follows a fault, also of the same chunk', (t) => {
  const got = run([Buffer.concat([HANDSHAKE, u32(5000, 0, 0)]), u32(0)]);
  t.equal(got.faults.length, 1);
  t.strictSame(got.frames, []);
  t.end();
});

t.test('a handshake is refused at its first wrong byte', (t) => {
  for (let at = 0; at < 20; at++) {
    const bytes = Buffer.from(HANDSHAKE.subarray(0, at + 1));
    bytes[at] = 0xff;
    t.equal(run([bytes]).faults.length, 1, String(at));
  }
  t.strictSame(run([HANDSHAKE.subarray(0, HANDSHAKE_BYTES - 1)]), {
    handshakes: [],
    frames: [],
    blocks: 0,
    unused: 0,
    faults: [],
  });
  t.match(run([Buffer.of(0x16)]).faults[0], /TLS/);
  t.end();
});

t.test('a block that will not be whole is given back, once, and nothing is put together without room for it', (t) => {
  const block = Buffer.concat([u32(109), Buffer.of(7), u32(1, 2), Buffer.alloc(100)]);
  const given: string[] = [];
  let room: Buffer | undefined = Buffer.alloc(100);
  const sink = {
    handshake: () => undefined,
    frame: () => given.push('frame'),
    room: () => room,
    block: () => given.push('block'),
    unused: (data: Buffer) => given.push(`unused ${data === room}`),
    fault: () => undefined,
  };
  const guard = new FrameGuard(sink, 1000);
  guard.push(HANDSHAKE);
  guard.push(block);
  guard.push(block.subarray(0, 60));
  guard.stop();
  guard.stop();
  guard.push(block.subarray(60));
  t.strictSame(given, ['block', 'unused true']);
  room = undefined;
  const other = new FrameGuard({ ...sink, room: () => other.stop() as undefined }, 1000);
  other.push(Buffer.concat([HANDSHAKE, block, block]));
  t.strictSame(given, ['block', 'unused true'], 'whoever gives none has ended it');
  t.end();
});
