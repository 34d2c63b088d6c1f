import fc from 'fast-check';
import t from 'tap';

import { FrameGuard, HANDSHAKE_BYTES } from '../../../../src/actors/swarm/link/frame-guard.ts';
import { handshakeBytes, u32 } from './fixtures/bare.ts';

const HANDSHAKE = handshakeBytes(Buffer.alloc(20, 'p'));

function run(chunks: readonly Buffer[], maxFrame = 1000) {
  const got = { handshakes: [] as Buffer[], frames: [] as Buffer[], faults: [] as string[] };
  const guard = new FrameGuard(
    {
      handshake: (bytes) => got.handshakes.push(Buffer.from(bytes)),
      frame: (bytes) => got.frames.push(Buffer.from(bytes)),
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
      fc.array(fc.uint8Array({ maxLength: 1000 }), { maxLength: 8 }),
      fc.array(fc.nat(20_000), { maxLength: 40 }),
      (payloads, cuts) => {
        const frames = payloads.map((payload) => Buffer.concat([u32(payload.length), payload]));
        const got = run(cut(Buffer.concat([HANDSHAKE, ...frames]), cuts));
        t.strictSame(got.faults, []);
        return (
          Buffer.concat(got.handshakes).equals(HANDSHAKE) &&
          got.frames.length === frames.length &&
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
  t.strictSame(run([HANDSHAKE.subarray(0, HANDSHAKE_BYTES - 1)]), { handshakes: [], frames: [], faults: [] });
  t.match(run([Buffer.of(0x16)]).faults[0], /TLS/);
  t.end();
});
