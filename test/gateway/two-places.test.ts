/** Clients that want one large file from different bytes on, and a slow mirror that gives ranges. */
import t, { type Test } from 'tap';

import { until } from '../kernel/contract.ts';
import { randomBytes } from '../support/random.ts';
import { begin } from './fixtures/begun.ts';
import { ARCHIVE, startGateway } from './fixtures/gateway-scene.ts';

const MIB = 1024 * 1024;
const PATH = `${ARCHIVE}/pool/a.deb`;
/** Headers of an answer are not bytes of the file. */
const SOME = 10_000;
t.setTimeout(600_000);

/** A client that gets bytes of a large file, not from its beginning. */
async function scene(t: Test, name: string) {
  const s = await startGateway(t);
  const data = randomBytes(name, 40 * MIB);
  await s.publish(PATH, data);
  s.index({ 'pool/a.deb': data });
  s.web.rule(`/${PATH}`, { rate: 200_000 });
  const first = begin(t, s, PATH, ['Range: bytes=1000000-']);
  await until(() => first.received() > SOME);
  return { s, first };
}

t.test('who joins at another place gets bytes before the first ranges for the other are there', async (t) => {
  const { s, first } = await scene(t, 'places');
  const others = [begin(t, s, PATH), begin(t, s, PATH, [`Range: bytes=${35 * MIB}-`])];
  await until(() => others.every((each) => each.received() > SOME));
  const asked = s.web.requests(`/${PATH}`);
  t.ok(s.web.bytes(`/${PATH}`) < 4 * MIB, `${s.web.bytes(`/${PATH}`)} bytes for all`);
  t.ok(asked.length <= 4 + 2 * others.length, `${asked.length} requests`);
  const got = first.received();
  await until(() => first.received() > got + SOME);
  for (const each of [first, ...others]) each.leave();
});

t.test('who leaves is not fetched for any more: the next one’s bytes come first', async (t) => {
  const { s, first } = await scene(t, 'left');
  first.leave();
  const second = begin(t, s, PATH);
  await until(() => second.received() > SOME);
  t.ok(s.web.bytes(`/${PATH}`) < 4 * MIB, `${s.web.bytes(`/${PATH}`)} bytes`);
  second.leave();
});

t.test('all of them get what they want, and the mirror sends little twice', async (t) => {
  const s = await startGateway(t);
  const data = randomBytes('all', 40 * MIB);
  await s.publish(PATH, data);
  s.index({ 'pool/a.deb': data });
  s.web.rule(`/${PATH}`, { rate: 2_000_000 });
  const places = [0, 10 * MIB + 1, 20 * MIB, 33 * MIB, 39 * MIB];
  const clients = places.map((place) => begin(t, s, PATH, place === 0 ? [] : [`Range: bytes=${place}-`]));
  for (const [n, client] of clients.entries()) {
    const answer = await client.ended();
    t.ok(answer?.complete === true && answer.body.equals(data.subarray(places[n])), `from ${places[n]}`);
  }
  t.ok(s.web.copies(`/${PATH}`) < 1.5, `${s.web.copies(`/${PATH}`)} copies`);
});
