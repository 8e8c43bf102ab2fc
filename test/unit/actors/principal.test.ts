// Authorization as values: every demand against every kind of principal, and callers whose keys never collide.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { orderId, userId } from '../../../actors/ids.js';
import {
  ANYONE,
  callerOf,
  type Demand,
  lacks,
  NOBODY,
  type Principal,
  SCOPES,
  type Scope,
  sees,
  serviceOf,
} from '../../../actors/principal.js';
import { writeOf } from '../../../http/api/write-id.js';
import { targetOf } from '../../../http/orders/order-ids.js';

const test = suite('principals');
const service = (subject: string, ...scopes: Scope[]): Principal => ({
  subject,
  userId: undefined,
  scopes: new Set(scopes),
});
const customer = (user: string, subject: string, ...scopes: Scope[]): Principal => ({
  ...service(subject, ...scopes),
  userId: userId(user),
});

const DEMANDS: readonly Demand[] = ['none', 'told', 'any', ...SCOPES, ...SCOPES.map((s) => `service:${s}` as const)];

test('every demand against every principal', () => {
  const granted = (principal: Principal) => DEMANDS.filter((demand) => lacks(principal, demand) === undefined);
  const open = ['none', 'told', 'any'];
  assert.equal(granted(service('s')), open);
  for (const scope of ['orders:read', 'orders:write', 'inventory:write'] as const) {
    assert.equal(granted(service('s', scope)), [...open, scope, `service:${scope}`]);
    assert.equal(granted(customer('u', 'c', scope)), [...open, scope]);
  }
  assert.equal(granted(service('s', 'admin')), [...DEMANDS]);
  assert.equal(granted(ANYONE), [...DEMANDS]);
  assert.equal(granted(NOBODY), open);
  assert.equal(lacks(service('s', 'orders:read'), 'admin'), { kind: 'scope', scope: 'admin' });
  assert.equal(lacks(customer('u', 'c', 'orders:write'), 'service:orders:write'), { kind: 'service' });
});

test('a customer sees its own data, a service sees all, an unknown caller nothing', () => {
  const [ada, bob] = [userId('ada'), userId('bob')];
  assert.equal([sees(customer('ada', 'k'), ada), sees(customer('ada', 'k'), bob)], [true, false]);
  assert.equal([sees(service('s'), ada), sees(ANYONE, ada), sees(NOBODY, ada)], [true, true, false]);
});

test('two callers never share a key, in orders or in stock', () => {
  // Few words, so that they collide, and separators that could break a joined name.
  const word = fc.constantFrom('a', 'b', 'a:b', 'user:a', 'key:a', ':', '#');
  const asker = fc.record({ isService: fc.boolean(), subject: word, acts: word, key: word });
  const draw = () => '0';
  const orderOf = ({
    isService,
    subject,
    acts,
    key,
  }: {
    isService: boolean;
    subject: string;
    acts: string;
    key: string;
  }) => {
    const principal = isService ? service(`key:${subject}`) : customer(acts, `key:${subject}`);
    const { order } = targetOf(userId(acts), serviceOf(principal), key, () => orderId(draw()));
    const { ref } = writeOf('receive', callerOf(principal), key, {}, draw);
    // The identity of a caller, as the law defines it.
    const caller = isService ? `service ${subject}` : `customer ${acts}`;
    return { order, ref, orderCaller: `${caller} for ${acts} ${key}`, stockCaller: `${caller} ${key}` };
  };
  fc.assert(
    fc.property(asker, asker, (a, b) => {
      const [one, two] = [orderOf(a), orderOf(b)];
      assert.is(one.order === two.order, one.orderCaller === two.orderCaller);
      assert.is(one.ref === two.ref, one.stockCaller === two.stockCaller);
    }),
    { numRuns: 3_000 },
  );
});

test('a customer is one caller with a key, with a token, and as before while AUTH was off', () => {
  const ids = [customer('ada', 'key:1'), customer('ada', 'token:x#ada'), ANYONE].map(
    (principal) => targetOf(userId('ada'), serviceOf(principal), 'k', () => orderId('0')).order,
  );
  assert.is(new Set(ids).size, 1);
  assert.is(ids[0], 'ORD-48NX4F7P34V09SEXBAVEQZ0WBQ', 'ids that are stored never change');
});

test.run();
