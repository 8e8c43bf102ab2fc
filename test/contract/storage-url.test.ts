// libpq URLs as they occur in DATABASE_URL, and amounts converted to decimals and back.
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decimalText, minorDigits } from '../../actors/money.js';
import { minorOf } from '../../storage/postgres/amounts.js';
import { parsePostgresUrl } from '../../storage/postgres/libpq-url.js';

const test = suite('libpq URLs and amounts');
const parse = (url: string) => parsePostgresUrl(url, {});

test('host, port, user, password and database', () => {
  const target = parse('postgresql://me:p%40ss%2F@db.example:5433/my%20db?application_name=x&options=-c%20a%3Db');
  assert.equal(target.hosts, [{ host: 'db.example', port: 5433 }]);
  assert.equal([target.user, target.password, target.database], ['me', 'p@ss/', 'my db']);
  assert.equal([target.applicationName, target.options], ['x', '-c a=b']);
  assert.is(parse('postgres://me@h').database, 'me');
});

test('a pooler in between', () => {
  assert.is(parse('postgres://u@h/d').isPooled, false);
  assert.is(parse('postgres://u@h/d?pgbouncer=true').isPooled, true);
  assert.throws(() => parse('postgres://u@h/d?pgbouncer=true&options=-c%20a%3Db'), /does not pass on: give the role/);
});

test('several hosts, Unix sockets, IPv6', () => {
  assert.equal(parse('postgres://u@a:1,b,[::1]:3/d?target_session_attrs=read-write').hosts, [
    { host: 'a', port: 1 },
    { host: 'b', port: 5432 },
    { host: '::1', port: 3 },
  ]);
  const socket = [{ host: '/var/run/postgresql', port: 5432 }];
  assert.equal(parse('postgresql:///d?host=/var/run/postgresql').hosts, socket);
  assert.equal(parse('postgres://u@%2Fvar%2Frun%2Fpostgresql/d').hosts, socket);
  assert.is(parse('postgresql:///d?host=/var/run/postgresql&sslmode=require').tls, false);
});

test('every sslmode', () => {
  const tls = (mode: string) => parse(`postgres://u@h/d?sslmode=${mode}`).tls;
  assert.equal([tls('disable'), tls('allow'), tls('prefer')], [false, 'prefer', 'prefer']);
  assert.equal(tls('require'), { rejectUnauthorized: false });
  assert.equal(Object.keys(tls('verify-ca') as object), ['checkServerIdentity']);
  assert.equal(tls('verify-full'), { host: 'h' });
  assert.equal([parse('postgres://u@h/d').tls, parse('postgres://u@localhost/d').tls], ['prefer', false]);
  assert.throws(() => tls('maybe'), /unknown sslmode 'maybe'/);
});

test('an error names what is wrong without the password', () => {
  for (const bad of ['mysql://u:secret@h/d', 'postgres://u:secret@h:99999/d', 'postgres://u:secret%zz@h/d']) {
    try {
      parse(bad);
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), /the Postgres URL/);
      assert.not.match(String(error), /secret/);
    }
  }
});

test('an amount comes back to the last digit, also if Postgres pads or shortens it', () => {
  assert.equal(
    [decimalText(5, 'USD'), decimalText(1_999, 'JPY'), decimalText(1, 'KWD'), decimalText(123_456, 'CLF')],
    ['0.05', '1999', '0.001', '12.3456'],
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      fc.constantFrom('USD', 'JPY', 'KWD', 'CLF', 'XXX'),
      (minor, currency) => {
        const text = decimalText(minor, currency);
        assert.is(minorOf(text, currency), minor);
        if (minorDigits(currency) > 0) assert.is(minorOf(text.replace(/\.?0+$/, ''), currency), minor);
      },
    ),
  );
  assert.throws(() => minorOf('1.005', 'USD'), /1\.005 is no amount in USD/);
});

test.run();
