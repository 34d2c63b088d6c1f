import { readdir } from 'node:fs/promises';

import t from 'tap';

import { SegmentBuilder } from '../../../src/core/archive/segment-builder.ts';
import { CatalogueStore } from '../../../src/actors/packages-parser/catalogue-store.ts';
import { Recorder } from '../../kernel/fixtures/recorder.ts';
import { randomBytes } from '../../support/random.ts';
import { temporaryDirectory } from '../fixtures/fetch-stack.ts';

t.test('archives of the same content are written at the same time', async (t) => {
  const store = new CatalogueStore(await temporaryDirectory(t), new Recorder());
  await store.open();
  const builder = new SegmentBuilder(2);
  const path = Buffer.from('pool/main/h/hello/hello_2.10-3_amd64.deb');
  builder.add(path, 0, path.length, 53_080, randomBytes('hash', 32));
  const segment = builder.finish();
  const names = await Promise.all(Array.from({ length: 8 }, () => store.writeSegment(segment)));
  t.equal(new Set(names).size, 1);
  t.strictSame(await readdir(store.dir), [names[0]]);
});
