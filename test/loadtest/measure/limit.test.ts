import t from 'tap';
import { limitOf } from '../../../scripts/loadtest/measure/limit.ts';

t.test('it is said when the harness was the limit, and not the target', (t) => {
  t.equal(
    limitOf({ busiestClients: 0.95, idle: 0.4, harness: 1, target: 0.2 }),
    'harness',
    'a thread of clients was full',
  );
  t.equal(
    limitOf({ busiestClients: 0.5, idle: 0.02, harness: 1.2, target: 0.7 }),
    'harness',
    'it took most of a full machine',
  );
  t.equal(limitOf({ busiestClients: 0.5, idle: 0.02, harness: 0.4, target: 1.4 }), 'processors');
  t.equal(limitOf({ busiestClients: 0.5, idle: 0.3, harness: 0.4, target: 1 }), 'target');
  t.equal(limitOf({ busiestClients: 0.1, idle: 0.8, harness: 0.1, target: 0.1 }), 'none');
  t.end();
});
