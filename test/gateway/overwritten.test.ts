/** A mirror without ranges breaks off and begins anew: no reader gets the rest of another answer than it got so far. */
import t, { type Test } from 'tap';

import { hashOf } from '../actors/fixtures/fetch-stack.ts';
import { until } from '../kernel/contract.ts';
import type { Fault } from '../support/mirror-fault.ts';
import { randomBytes } from '../support/random.ts';
import { begin } from './fixtures/begun.ts';
import { ARCHIVE, startGateway, type GatewayScene } from './fixtures/gateway-scene.ts';

const MIB = 1024 * 1024;
const PATH = `${ARCHIVE}/pool/a.deb`;
const HALF = MIB + MIB / 2;
t.setTimeout(600_000);

async function scene(t: Test): Promise<{ s: GatewayScene; data: Buffer }> {
  const s = await startGateway(t);
  const data = randomBytes(t.name, 3 * MIB);
  await s.publish(PATH, data);
  s.index({ 'pool/a.deb': data });
  return { s, data };
}

/** The next answer that no other rule is for; it waits after its first MiB, and breaks off in the middle. */
function breaksOff(s: GatewayScene, fault: Fault = {}): () => void {
  let go = (): void => undefined;
  const until = new Promise<void>((resolve) => (go = resolve));
  s.web.rule(`/${PATH}`, { ignoreRange: true, stallAt: MIB, truncateAt: HALF, ...fault, until }, 1);
  return () => go();
}

const warnings = (s: GatewayScene) => s.log.of('what was given out did not come again: it is void').length;

t.test('the same comes again: the client notices nothing', async (t) => {
  const { s, data } = await scene(t);
  s.web.rule(`/${PATH}`, { ignoreRange: true });
  const breakOff = breaksOff(s);
  const client = begin(t, s, PATH);
  await until(() => client.received() > 500_000);
  breakOff();
  const answer = await client.ended();
  t.ok(answer?.complete === true && answer.body.equals(data), `${answer?.body.length} bytes`);
  t.equal(warnings(s), 0);
  const rest = await s.get(PATH, [`Range: bytes=${MIB}-`]);
  t.ok(rest.status === 206 && rest.body.equals(data.subarray(MIB)), 'nor does who asks for the rest');
});

t.test('the beginning was wrong: who has it is given all of it anew', async (t) => {
  const { s, data } = await scene(t);
  s.web.rule(`/${PATH}`, { ignoreRange: true });
  const breakOff = breaksOff(s, { alterAt: 100 });
  const client = begin(t, s, PATH);
  await until(() => client.received() > 500_000);
  breakOff();
  const answer = await client.ended();
  t.equal(answer?.complete, false);
  t.equal(warnings(s), 1);
  const rest = await s.get(PATH, [`Range: bytes=${MIB}-`, `If-Range: "${hashOf(data)}"`]);
  t.ok(rest.status === 200 && rest.body.equals(data), `${rest.status}, ${rest.body.length} bytes`);
});

t.test('the beginning was right, then wrong, then right: nobody has all with a wrong byte', async (t) => {
  const { s, data } = await scene(t);
  s.web.rule(`/${PATH}`, { ignoreRange: true });
  const second = breaksOff(s, { alterAt: 100, truncateAt: HALF + 100_000 });
  // After the first answer broke off the rest is asked for.
  s.web.rule((request) => request.headers['range'] !== undefined, { ignoreRange: true });
  const first = breaksOff(s);
  const early = begin(t, s, PATH);
  await until(() => early.received() > 500_000);
  first();
  await until(() => s.web.log.filter(({ sent }) => sent === MIB).length === 1);
  const late = begin(t, s, PATH);
  await until(() => late.received() > 500_000);
  second();
  for (const answer of [await early.ended(), await late.ended()]) {
    t.ok(answer?.complete === false || answer?.body.equals(data), `${answer?.body.length} bytes`);
  }
  // The late one has bytes of the second answer only if it was quick.
  t.ok(warnings(s) === 1 || warnings(s) === 2, `${warnings(s)} warnings`);
});

t.test('it never comes again: who has the beginning is not given the rest of another', async (t) => {
  const { s, data } = await scene(t);
  s.web.rule(`/${PATH}`, { ignoreRange: true, truncateAt: 300_000 });
  const breakOff = breaksOff(s, { alterAt: 400_000 });
  const client = begin(t, s, PATH);
  await until(() => client.received() > 500_000);
  breakOff();
  t.equal((await client.ended())?.complete, false);
  await until(async () => (await s.transfers.ref.ask('status')).transfers.length === 0);
  s.web.clearRules();
  const rest = await s.get(PATH, [`Range: bytes=${MIB}-`, `If-Range: "${hashOf(data)}"`]);
  t.ok(rest.status === 200 && rest.body.equals(data), `${rest.status}, ${rest.body.length} bytes`);
});
