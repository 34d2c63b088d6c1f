import { createHash, createHmac } from 'node:crypto';
import t from 'tap';
import { torrentId, torrentName } from '../../../src/core/archive/torrent-id.ts';

const subject = {
  origin: 'Debian',
  codename: 'bookworm',
  suite: 'oldstable',
  component: 'main',
  architecture: 'amd64',
};
const key = Buffer.alloc(32, 7);

/** The encoding as the documentation says it, written out. */
const message = Buffer.from(
  '\0\0\0\x1adebtorrent index torrent 1\0\0\0\x06Debian\0\0\0\x08bookworm\0\0\0\x04main\0\0\0\x05amd64',
);

t.equal(torrentId(subject), createHash('sha256').update(message).digest('hex').slice(0, 40));
t.equal(torrentId(subject, key), createHmac('sha256', key).update(message).digest('hex').slice(0, 40));

t.test('test vectors', async (t) => {
  t.equal(torrentId(subject), 'f9d7cb1ff8d1356e4f5e4ba0fb96389e11ca0376');
  t.equal(torrentId({ ...subject, architecture: 'source' }), '5b9d61a696c08f8f2ef94b622edea137931bfcea');
  t.equal(
    torrentId({ origin: '', codename: '', suite: '', component: '', architecture: '' }),
    'cbf215d9a9f768ed6c63a2e383e56b9a35bf6f18',
  );
  t.equal(torrentId(subject, key), '28b155b30635c89b1cd5a653e71e6b326e25cc5a');
});

t.equal(torrentId({ ...subject, suite: 'stable' }), torrentId(subject), 'the suite is not part of it, as it moves on');
t.equal(torrentId({ ...subject, codename: '', suite: 'bookworm' }), torrentId(subject), 'unless there is no codename');
t.not(
  torrentId({ ...subject, component: 'mai', architecture: 'namd64' }),
  torrentId(subject),
  'fields do not run into each other',
);
t.equal(torrentName(subject), 'Debian bookworm main amd64');
t.equal(torrentName({ ...subject, component: '' }), 'Debian bookworm amd64');
