import t from 'tap';
import { parseList } from '../../../scripts/loadtest/archive/subset.ts';

t.test('a list has a name a line; comments and what follows are left out', (t) => {
  t.same(parseList('# wanted\nlibstdc++6\tinstall\n\n  bash 5.2 # shell\nbash\n-option\n'), ['libstdc++6', 'bash']);
  t.end();
});
