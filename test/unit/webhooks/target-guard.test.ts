// Where a webhook may lead: the table of addresses, names, and names that change their answer.
import type { LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { targetGuard } from '../../../bus/webhooks/target-guard.js';

const test = suite('target guard');

const CLOSED = [
  ...['http://0.0.0.0/', 'http://0.1.2.3/', 'http://10.0.0.1/', 'http://100.64.0.1/', 'http://100.100.100.200/'],
  ...['http://127.0.0.1/', 'http://127.8.8.8:8080/x', 'http://169.254.169.254/latest/meta-data/', 'http://172.16.0.1/'],
  ...[
    'http://172.31.255.255/',
    'http://192.0.0.192/',
    'http://192.0.2.1/',
    'http://192.88.99.1/',
    'http://192.168.1.1/',
  ],
  ...[
    'http://198.18.0.1/',
    'http://198.19.255.255/',
    'http://198.51.100.7/',
    'http://203.0.113.9/',
    'http://224.0.0.1/',
  ],
  ...['http://239.255.255.250/', 'http://240.0.0.1/', 'http://255.255.255.255/', 'http://168.63.129.16/'],
  // The same in other notations, which a URL parser knows.
  ...[
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://0/',
    'http://127.0.0.1./',
  ],
  ...['http://%31%32%37.0.0.1/', 'http://①②⑦.0.0.1/', 'http:\\\\127.0.0.1\\', 'http:127.0.0.1'],
  ...[
    'http://[::]/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
  ],
  ...['http://[::127.0.0.1]/', 'http://[::ffff:8.8.8.8]/', 'http://[64:ff9b::7f00:1]/', 'http://[64:ff9b:1::1]/'],
  ...['http://[fe80::1]/', 'http://[fec0::1]/', 'http://[fc00::1]/', 'http://[fd00:ec2::254]/', 'http://[ff02::1]/'],
  ...['http://[2001::1]/', 'http://[2001:db8::1]/', 'http://[2002:7f00:1::]/', 'http://[3fff::1]/', 'http://[100::1]/'],
  ...['http://localhost/', 'http://LOCALHOST:3000/', 'http://localhost./', 'http://a.localhost/'],
];
const OPEN = [
  ...[
    'http://8.8.8.8/',
    'https://1.1.1.1:8443/hook?x=1',
    'http://100.63.255.255/',
    'http://100.128.0.1/',
    'http://9.255.255.255/',
  ],
  ...[
    'http://172.15.0.1/',
    'http://172.32.0.1/',
    'http://192.167.1.1/',
    'http://223.255.255.255/',
    'http://[2606:4700::1]/',
  ],
  ...['https://hooks.example/in', 'http://notlocalhost.example/', 'https://bücher.example/'],
];

test('public addresses and names are open, all others are closed, in every notation', () => {
  const guard = targetGuard({ allow: [], httpsOnly: false });
  for (const url of CLOSED) assert.ok(guard.whyNot(url)?.includes('which is not public'), url);
  for (const url of OPEN) assert.is(guard.whyNot(url), undefined, url);
});

test('only http and https, without credentials and fragments', () => {
  const guard = targetGuard({ allow: ['*', '0.0.0.0/0'], httpsOnly: false });
  for (const url of [
    'ftp://a.example/',
    'file:///etc/passwd',
    'gopher://a.example/',
    'javascript:1',
    'data:,x',
    'ws://a.example/',
  ])
    assert.match(guard.whyNot(url) ?? '', /must begin with https/, url);
  for (const url of [
    '',
    'a.example',
    '//a.example/',
    'http://',
    'http://a b/',
    'http://[::1',
    'http://1.2.3.4.5.6.7.8:99999/',
  ])
    assert.is(guard.whyNot(url), 'is not a URL', url);
  assert.match(guard.whyNot('http://user@a.example/') ?? '', /user or password/);
  assert.match(guard.whyNot('http://:x@a.example/') ?? '', /user or password/);
  assert.match(guard.whyNot('http://a.example/#x') ?? '', /fragment/);
});

test('exceptions are hosts, addresses and networks', () => {
  const guard = targetGuard({
    allow: ['10.1.0.0/16', 'Hooks.Internal', '127.0.0.1', 'fd00::/8', '[::1]'],
    httpsOnly: true,
  });
  for (const url of [
    'http://10.1.2.3/',
    'http://127.0.0.1:1/',
    'http://hooks.internal/',
    'http://hooks.internal./',
    'http://[fd12::1]/',
    'http://[::1]/',
  ])
    assert.is(guard.whyNot(url), undefined, url);
  for (const url of ['http://10.2.0.1/', 'http://127.0.0.2/', 'https://[fe80::1]/', 'https://localhost/'])
    assert.ok(guard.whyNot(url)?.includes('which is not public'), url);
  for (const url of ['http://a.hooks.internal/', 'http://a.example/', 'http://8.8.8.8/'])
    assert.match(guard.whyNot(url) ?? '', /must be https here/, url);
  assert.is(guard.whyNot('https://a.example/'), undefined);
});

type Answer = { readonly addresses: readonly string[]; readonly error?: Error };
function resolving(...answers: readonly Answer[]) {
  let asked = 0;
  const resolve = (
    _name: string,
    _options: object,
    callback: (error: Error | null, found: LookupAddress[]) => void,
  ) => {
    const { addresses = [], error } = answers[Math.min(asked++, answers.length - 1)] ?? {};
    callback(
      error ?? null,
      addresses.map((address) => ({ address, family: isIP(address) })),
    );
  };
  return resolve as unknown as typeof systemLookup;
}
const lookedUp = (allow: readonly string[], name: string, all: boolean, ...answers: readonly Answer[]) =>
  new Promise<unknown>((done) => {
    const { lookup } = targetGuard({ allow, httpsOnly: false, resolve: resolving(...answers) });
    lookup(name, { all }, (error, found) => done(error?.message ?? found));
  });

test('a name is judged by all its addresses, and gives those that were judged', async () => {
  const open = [
    { address: '8.8.8.8', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ];
  const addresses = open.map(({ address }) => address);
  assert.equal(await lookedUp([], 'a.example', true, { addresses }), open);
  assert.is(await lookedUp([], 'a.example', false, { addresses }), '8.8.8.8');
  for (const bad of ['127.0.0.1', '::ffff:10.0.0.1', '::1', '169.254.169.254', 'fe80::1', 'fe80::1%lo']) {
    const found = await lookedUp([], 'a.example', true, { addresses: [...addresses, bad] });
    assert.is(found, `a.example has the address ${bad}, which is not public: if it is meant, name it in WEBHOOK_ALLOW`);
  }
  assert.is(await lookedUp([], 'a.example', true, { addresses: [] }), 'a.example has no address');
  assert.is(await lookedUp([], 'a.example', true, { addresses: [], error: new Error('no DNS') }), 'no DNS');
  assert.equal(await lookedUp(['10.0.0.0/8'], 'a.example', true, { addresses: ['10.9.9.9'] }), [
    { address: '10.9.9.9', family: 4 },
  ]);
  assert.equal(await lookedUp(['a.example'], 'A.example.', true, { addresses: ['127.0.0.1'] }), [
    { address: '127.0.0.1', family: 4 },
  ]);
});

test('those who ask for a name at once share one look-up, and later ones begin another', async () => {
  const waiting: (() => void)[] = [];
  const resolve = ((_: string, __: object, callback: (error: null, found: LookupAddress[]) => void) => {
    waiting.push(() => callback(null, [{ address: '8.8.8.8', family: 4 }]));
  }) as unknown as typeof systemLookup;
  const { lookup } = targetGuard({ allow: [], httpsOnly: false, resolve });
  const found: unknown[] = [];
  const ask = (name: string) => lookup(name, {}, (_, address) => found.push(address));
  for (const name of ['a.example', 'a.example', 'b.example']) ask(name);
  assert.is(waiting.length, 2);
  for (const answer of waiting.splice(0)) answer();
  assert.equal(found, ['8.8.8.8', '8.8.8.8', '8.8.8.8']);
  ask('a.example');
  assert.is(waiting.length, 1);
});

test.run();
