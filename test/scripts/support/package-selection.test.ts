import t from 'tap';
import { choosePackages, namedPackages } from '../../../scripts/support/package-selection.ts';

function stanza(name: string, more: { filename?: string; size?: number } = {}): string {
  const filename = more.filename ?? `pool/main/${name}_1_all.deb`;
  return `Package: ${name}\nVersion: 1\nFilename: ${filename}\nSize: ${more.size ?? 1000}\nSHA256: ${'a'.repeat(64)}\nX: y\n`;
}

const names = ['apt', 'bash', 'coreutils', 'dpkg', 'e2fsprogs', 'findutils'];

t.test('the choice does not depend on the order of the index', async (t) => {
  const forward = choosePackages(names.map((name) => stanza(name)).join('\n'), 4);
  const backward = choosePackages(
    names
      .toReversed()
      .map((name) => stanza(name))
      .join('\n'),
    4,
  );
  t.equal(forward.length, 4);
  t.same(forward, backward);
});

t.test('a package that appears twice is chosen once', async (t) => {
  const chosen = choosePackages([...names, ...names].map((name) => stanza(name)).join('\n'), 100);
  t.equal(chosen.length, names.length);
});

t.test('names and paths that could leave the pool are passed over', async (t) => {
  const index = [
    stanza('apt', { filename: 'pool/../../etc/passwd' }),
    stanza('--option'),
    stanza('bash', { filename: '/etc/passwd' }),
    stanza('coreutils', { size: 2 ** 31 }),
    stanza('dpkg'),
  ].join('\n');
  t.same(
    choosePackages(index, 100).map(({ name }) => name),
    ['dpkg'],
  );
});

t.test('packages by name come in the order of the list, once, and without those that are not there', async (t) => {
  const index = [...names, 'apt'].map((name) => stanza(name)).join('\n');
  const found = namedPackages(index, ['findutils', 'apt', 'nothing', 'findutils']);
  t.same(
    found.map(({ name }) => name),
    ['findutils', 'apt'],
  );
});
