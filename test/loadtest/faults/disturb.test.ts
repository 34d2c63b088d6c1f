import t from 'tap';
import { disturb } from '../../../scripts/loadtest/faults/disturb.ts';
import { until } from '../../support/process.ts';

const TARGET = { routes: [], pids: () => [] };

t.test('restarts that come faster than they can be done do not pile up', async (t) => {
  let [begun, killed] = [0, 0];
  const waiting: (() => void)[] = [];
  const restart = (): Promise<void> => {
    begun += 1;
    return new Promise((resolve) => waiting.push(resolve));
  };
  const killPeer = async (): Promise<boolean> => (killed += 1) > 0;
  const calm = disturb({ ...TARGET, restart, killPeer }, { restart: 1, killPeer: 1 }, t.fail);
  await until('one is under way', () => waiting.length === 1);
  let ticks = 0;
  const ticking = setInterval(() => (ticks += 1), 1);
  await until('many have been due', () => ticks > 50);
  t.equal(begun, 1);
  waiting.shift()?.();
  await until('the next one of both', () => killed > 0 && waiting.length === 1);
  const over = calm();
  clearInterval(ticking);
  waiting.shift()?.();
  await over;
  t.equal(begun, 2, 'none after its end');
});

t.test('one that fails is told, and the next one follows', async (t) => {
  const said: string[] = [];
  const restart = () => Promise.reject(new Error('no port'));
  const calm = disturb({ ...TARGET, restart }, { restart: 1 }, (line) => said.push(line));
  await until('two have failed', () => said.length >= 2);
  await calm();
  t.equal(said[0], 'restart: Error: no port');
});
