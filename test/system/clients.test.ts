/** Many clients at once: one transfer a file, whoever comes and goes. */
import t from 'tap';
import { skipWithoutApt, until } from '../support/process.ts';
import { openSocket, requestText } from '../support/raw-http.ts';
import { Scene, downloaded, hashesOf, isWhole } from '../support/scene.ts';
import { randomNumbers } from '../support/random.ts';

t.setTimeout(600_000);

t.test('many clients', { skip: skipWithoutApt }, async (t) => {
  const large = Array.from({ length: 3 }, (_, n) => `large${n}`);
  const small = Array.from({ length: 30 }, (_, n) => `small${n}`);
  const scene = await Scene.start(t, {
    state: {
      add: [...large.map((name) => ({ name, size: 5_000_000 })), ...small.map((name) => ({ name, size: 9000 }))],
    },
  });
  const { archive, mirror, daemon } = scene;
  await scene.adopt();
  const url = (name: string): string => archive.url(archive.file(name).path);
  const [one = '', two = '', three = ''] = large;

  await t.test('50 clients ask for one file and the mirror sees one download', async (t) => {
    mirror.rule(url(one), { rate: 8_000_000 });
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        n % 2 === 0
          ? scene.get(archive.file(one).path)
          : daemon.request(`${mirror.url}${url(one)}`, { host: mirror.host }),
      ),
    );
    t.equal(answers.filter((answer) => isWhole(answer, archive.file(one))).length, 50);
    t.equal(mirror.copies(url(one)), 1);
  });

  await t.test('the first client leaves, the others finish', async (t) => {
    mirror.rule(url(two), { rate: 4_000_000 });
    const first = openSocket(daemon.target);
    first.write(requestText('GET', `/${mirror.host}${url(two)}`, 'localhost'));
    await until('it is under way', () => mirror.bytes(url(two)) > 0);
    const others = Array.from({ length: 10 }, () => scene.get(archive.file(two).path));
    await until('there is a part', () => mirror.bytes(url(two)) > 1_000_000);
    first.resetAndDestroy();
    const answers = await Promise.all(others);
    t.equal(answers.filter((answer) => isWhole(answer, archive.file(two))).length, 10);
    t.equal(mirror.copies(url(two)), 1);
  });

  await t.test('clients that leave at random moments disturb nobody', async (t) => {
    const random = randomNumbers('clients');
    mirror.rule(url(three), { rate: 4_000_000 });
    const size = archive.file(three).size;
    const leavers = Array.from({ length: 20 }, () => {
      const socket = openSocket(daemon.target);
      const leaveAt = random() * size;
      let received = 0;
      socket.on('data', (data) => {
        received += data.length;
        if (received >= leaveAt) socket.destroy();
      });
      socket.write(requestText('GET', `/${mirror.host}${url(three)}`, 'localhost'));
      return new Promise((resolve) => socket.once('close', resolve));
    });
    const readers = Array.from({ length: 5 }, (_, n) =>
      scene.get(archive.file(three).path, n === 0 ? [] : [`Range: bytes=${Math.floor((random() * size) / 1)}-`]),
    );
    const answers = await Promise.all(readers);
    await Promise.all(leavers);
    t.ok(answers[0] !== undefined && isWhole(answers[0], archive.file(three)));
    const content = archive.read(archive.file(three).path);
    for (const { status, headers, body } of answers.slice(1)) {
      const start = Number(/^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1] ?? 0);
      t.ok(status === 206 && body.equals(content.subarray(start)), `from ${start}`);
    }
    // What was on its way of a range that another one goes before is sent again.
    t.ok(mirror.copies(url(three)) < 1.2, `${mirror.copies(url(three))} copies`);
  });

  await t.test('eight APTs update and download at once', async (t) => {
    mirror.forget();
    const apts = Array.from({ length: 8 }, (_, n) => scene.apt(n % 2 === 0 ? 'prefix' : 'proxy'));
    const results = await Promise.all(
      apts.map(async (apt) => {
        const updated = await apt.update();
        return { updated, got: await apt.download(...small) };
      }),
    );
    for (const { updated, got } of results) {
      t.equal(updated.code, 0, updated.output);
      t.same(downloaded(got), hashesOf(archive, ...small), got.output.slice(-500));
    }
    t.ok(
      small.every((name) => mirror.copies(url(name)) === 1),
      'the mirror sent each file once',
    );
  });
});
