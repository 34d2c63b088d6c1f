import fc from 'fast-check';
import t from 'tap';
import { cleanPath } from '../../../src/core/archive/clean-path.ts';

t.equal(cleanPath('pool/main/a/a_1.deb'), 'pool/main/a/a_1.deb');
t.equal(cleanPath('./a_1.deb'), 'a_1.deb', 'flat archives begin their names with ./');
t.equal(cleanPath('a//b/./c'), 'a/b/c');
t.equal(cleanPath('..a/b..'), '..a/b..', 'dots in names are no parents');
for (const bad of ['', '/', '.', './', '/etc/passwd', '../x', 'a/../b', 'a/..', 'a/', 'a\\b', 'a\nb', 'a\0', 'a\x7f']) {
  t.equal(cleanPath(bad), undefined, `${JSON.stringify(bad)} is refused`);
}
t.equal(cleanPath('a'.repeat(4096))?.length, 4096);
t.equal(cleanPath('a'.repeat(4097)), undefined);

t.test('what is let through is relative, stays inside and is its own clean form', async () => {
  const segment = fc.constantFrom('', '.', '..', '...', 'a', 'b.deb', '~', 'é');
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
      const path = cleanPath(segments.join('/'));
      if (path === undefined) return;
      const parts = path.split('/');
      t.notOk(parts.includes('..') || parts.includes('.') || parts.includes(''));
      t.equal(cleanPath(path), path);
      t.strictSame(
        parts,
        segments.filter((s) => s !== '' && s !== '.'),
      );
    }),
    { numRuns: 300 },
  );
});
