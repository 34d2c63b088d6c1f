import t from 'tap';
import { mayContain } from '../../../src/core/archive/index-scope.ts';
import { parseIndexName } from '../../../src/core/archive/index-name.ts';
import type { IndexState } from '../../../src/core/archive/archive-state.ts';

t.strictSame(
  parseIndexName('main/binary-amd64/Packages.xz'),
  { base: 'main/binary-amd64/Packages', kind: 'packages', component: 'main', architecture: 'amd64', form: 'xz' },
  'a compressed index is a form of the plain one',
);
t.match(parseIndexName('main/debian-installer/binary-arm64/Packages'), { component: 'main/debian-installer' });
t.match(parseIndexName('contrib/source/Sources.gz'), { kind: 'sources', architecture: 'source', form: 'gz' });
t.match(parseIndexName('Packages.bz2'), { base: 'Packages', component: '', architecture: '', form: 'bz2' });
for (const path of ['main/binary-amd64/Packages.diff/Index', 'main/binary-amd64/Packages.diff/T-1-F-2.gz']) {
  t.match(parseIndexName(path), { base: 'main/binary-amd64/Packages', form: 'diff' }, `${path} tells of the index`);
}
for (const path of ['main/Contents-amd64.gz', 'main/i18n/Translation-en.xz', 'Packages.diff', 'main/Packages.txt']) {
  t.equal(parseIndexName(path), undefined, `${path} is no index`);
}

const index = (name: string): IndexState =>
  ({ ...parseIndexName(name), name, status: 'loading' }) as unknown as IndexState;
const components = ['main', 'contrib'];
const amd64 = index('main/binary-amd64/Packages');
t.ok(mayContain(amd64, components, 'pool/main/h/hello/hello_1_amd64.deb'));
t.ok(mayContain(amd64, components, 'pool/main/h/hello/hello-doc_1_all.deb'), 'all is in every architecture');
t.notOk(mayContain(amd64, components, 'pool/main/h/hello/hello_1_arm64.deb'));
t.notOk(mayContain(amd64, components, 'pool/contrib/h/hello/hello_1_amd64.deb'));
t.ok(mayContain(amd64, components, 'pool/updates/main/h/hello/hello_1_amd64.deb'), 'a pool may be laid out otherwise');
t.notOk(mayContain(amd64, components, 'pool/main/h/hello/hello_1.dsc'));
t.ok(mayContain(index('main/source/Sources'), components, 'pool/main/h/hello/hello_1.dsc'));
t.notOk(mayContain(index('main/source/Sources'), components, 'pool/main/h/hello/hello_1_all.deb'));
t.ok(mayContain(index('Packages'), [], 'hello_1_amd64.deb'), 'flat indexes name no architecture');
