import t from 'tap';
import { compileHostRules } from '../../src/core/host-rules.ts';
import { answerMirrorQuestion } from '../../src/gateway/mirror-question.ts';

const ask = (query: string, patterns: readonly string[] = []) =>
  answerMirrorQuestion(compileHostRules(patterns), query);

t.test('hosts that the daemon fetches from, and hosts that it refuses', async (t) => {
  t.same(ask('mirror=http://ftp.de.debian.org'), { status: 200, text: 'debtorrent: ok\n' });
  t.match(ask('mirror=https://ftp.de.debian.org'), { status: 200 }, 'by a tunnel');
  t.match(ask('mirror=https://ftp.de.debian.org:444'), { status: 403 }, 'tunnels lead to port 443');
  t.match(ask('mirror=http://example.org'), {
    status: 403,
    text: 'debtorrent: example.org:80 is not an allowed mirror\n',
    code: 'HOST_NOT_ALLOWED',
  });
  t.match(ask('mirror=http://10.0.0.1', ['*']), { status: 403, code: 'ADDRESS_NOT_ALLOWED' });
  t.match(ask('mirror=http://10.0.0.1:80', ['10.0.0.1']), { status: 200 });
});

t.test('other questions', async (t) => {
  t.equal(ask(''), undefined);
  t.equal(ask('x=y'), undefined);
  t.match(ask('mirror='), { status: 200 }, 'is this a daemon?');
  t.match(ask('mirror=nonsense'), { status: 400, code: 'BAD_TARGET' });
  t.match(ask('mirror=http://a.debian.org/../x'), { status: 400 });
});
