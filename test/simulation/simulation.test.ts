/**
 * Runs the whole node on in-memory services with faults, for a thousand seeds. Every promise holds in each seed, and
 * each kind of fault fires in some seed. To repeat one seed:  npm run sim -- --seed N --steps M [--trace]
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counters } from './counters.js';
import { STEPS, simulate } from './simulate.js';

const SEEDS = 1_000;
/** One of so many seeds runs longer, so that a journal grows past its first trim. */
const LONG_EVERY = 40;
const LONG_STEPS = 10 * STEPS;
const stepsOf = (seed: number): number => (seed % LONG_EVERY === 0 ? LONG_STEPS : STEPS);

const WRITES = ['append', 'flush orders', 'flush products', 'flush last', 'claim'];
/** So few that not every fault meets each of them: one of the faults must. */
const RARE = ['seal', 'trim claims', 'trim sealed', 'published', 'forgetJournal', 'refund'];
const ORDER_EVENTS = [
  ...['placed', 'late_sent', 'answered', 'held', 'hold_extended', 'paid', 'confirmed', 'captured', 'capture_failed'],
  ...['failed', 'voided', 'cancelled', 'stock_arrived', 'shipped', 'delivered', 'return_requested', 'return_received'],
  ...['refund_requested', 'refunded', 'refund_failed', 'act_answered', 'forgotten', 'imported', 'import_differed'],
];
/** What happens to partitions that move between nodes. */
const MOVES = [
  'claims: a partition came back to the same journal',
  ...['of its own', 'of the dead', 'of the living'].map((seal) => `claims: a seal ${seal}`),
  'claims: one more successor of a sealed journal',
  ...['joined', 'frozen', 'thawed', 'given away'].map((moment) => `partition: ${moment}`),
  'partition: a command waited while it was frozen',
  'partition: a command met the release',
  ...['free', 'dead', 'living', 'left'].map((whose) => `placement: takes what is ${whose}`),
  ...['gave', 'could not give in time', 'a give was refused', 'two gives at once', 'handed over at once'].map(
    (move) => `placement: ${move}`,
  ),
  'placement: takes what is of the dead',
  'placement: gives what another should have',
  ...['heartbeat', 'heartbeats', 'probe'].flatMap((call) => [
    `${call}: refused`,
    `${call}: unanswered`,
    `${call}: late`,
  ]),
  'home letters: their partition moved away',
  'home letters: handled after their partition came or thawed',
  'EVENTS: a join waited for the events that it names',
  'EVENTS: a tail was published by another journal',
  'forgetJournal: answered',
  'look: a read of another edge was answered',
  'process: woke and was taken over',
  ...['letters', 'confirmations', 'asks', 'answers', 'got', 'cancels'].flatMap((cargo) =>
    ['sent', 'lost', 'repeated', 'delayed', 'overtaken'].map((fate) => `bus: ${cargo} ${fate}`),
  ),
  ...['cut sent', 'cut lost', 'cut repeated', 'letters lost in an outage', 'asks lost in an outage'].map(
    (fate) => `bus: ${fate}`,
  ),
];
const mustFire = [
  ...WRITES.flatMap((write) => [
    ...['refused', 'unanswered', 'late', 'landed late, its caller dead'].map((fate) => `${write}: ${fate}`),
    ...['before', 'during', 'after', 'told of'].map((moment) => `kill -9 ${moment} ${write}`),
  ]),
  ...['read', 'lookUp', 'orderIdsAfter', 'load', 'journals', 'openJournal', 'closeJournals', 'query'].flatMap(
    (call) => [`${call}: refused`, `${call}: unanswered`, `${call}: late`],
  ),
  ...['publish', 'last', 'authorize', 'capture', 'void'].flatMap((call) => [
    `${call}: refused`,
    `${call}: unanswered`,
    `${call}: late`,
  ]),
  ...['letter', 'confirmation'].flatMap((paper) => [`${paper}: lost`, `${paper}: repeated`, `${paper}: delivered`]),
  ...['log', 'storage', 'events', 'payments', 'bus', 'broker'].map((service) => `${service} is away`),
  ...['answered', 'refused', 'unanswered', 'late'].map((fate) => `flush refusals: ${fate}`),
  'append: full',
  'trim own: answered',
  'neighbours talk at home',
  'every letter has a number',
  'landed after its caller died',
  'lost with its caller',
  'landed while its caller slept',
  'kill -9 at any moment',
  'process: paused',
  'process: woke beside its successor',
  'process: told to stop',
  'process: released everything',
  'claims: a first claim',
  'claims: a claim after a seal',
  'claims: a claim after a release',
  'claims: a release',
  'a flush met its row closed',
  'a wall clock jumped',
  'EVENTS lost its tail',
  'client: place outcome',
  'client: told an outcome that more had followed',
  'client: place pending',
  'client: place unavailable',
  'client: place refused other_body',
  'client: place refused not_yours',
  'client: key is an older order',
  'client: a repeat right after a start',
  'client: receive done',
  'client: adjust done',
  'client: adjust refused below_held',
  'client: a late sending of what was refused',
  ...ORDER_EVENTS.map((event) => `order: ${event}`),
  ...['received', 'adjusted', 'held', 'released', 'committed', 'returned', 'backordered', 'unbackordered'].map(
    (event) => `product: ${event}`,
  ),
  ...['cancel', 'ship', 'deliver', 'requestReturn', 'receiveReturn', 'refund', 'extendHold', 'move'].flatMap((act) => [
    `act: ${act} done`,
    `act: ${act} refused`,
    `act: ${act} unavailable`,
  ]),
  ...[
    ...['illegal_transition', 'more_than_ordered', 'more_than_shipped', 'more_than_paid', 'backordered'],
    ...['unknown_order', 'unknown_return', 'done_otherwise', 'other_body', 'changed'],
  ].map((refusal) => `act: refused ${refusal}`),
  'act: repeated',
  'act: another body under its ref',
  'act: of an order that has left memory',
  'act: cancel against ship',
  'act: cancel while the provider is asked',
  'order: expired while the provider was asked',
  'order: filled in part',
  'payment: capture declined',
  'payment: refund declined',
  'payment: void captured',
  ...['authorized', 'declined', 'captured', 'voided', 'refunded'].map((told) => `payment: told ${told} once more`),
  'client: read answered',
  'client: read model answered',
  ...MOVES,
];

const test = suite('simulation');
const all = new Counters();

test(`every promise holds in ${SEEDS} seeds`, async () => {
  const since = performance.now();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const steps = stepsOf(seed);
    const { broken, counters } = await simulate({ seed, steps });
    all.take(counters);
    if (broken !== undefined) {
      const again = `npm run sim -- --seed ${seed} --steps ${steps}`;
      assert.unreachable(`${broken.promise}: ${broken.how}\nagain, with --trace for what happened: ${again}`);
    }
    if (seed % 100 === 0) console.log(`${seed} seeds, ${((performance.now() - since) / 1_000).toFixed(1)} s`);
  }
});

test('each kind of fault fired', () => {
  console.log(all.toString());
  assert.equal(
    mustFire.filter((name) => all.of(name) === 0),
    [],
  );
  for (const call of RARE)
    assert.ok(
      ['refused', 'unanswered', 'late'].some((fate) => all.of(`${call}: ${fate}`) > 0),
      call,
    );
  assert.ok(
    ['before', 'during', 'after', 'told of'].some((moment) => all.of(`kill -9 ${moment} seal`) > 0),
    'a kill at a seal',
  );
});

test('the same seed is the same run', async () => {
  for (const seed of [1, 7, 23, 182, 640]) {
    const [first, second] = [await simulate({ seed }), await simulate({ seed })];
    assert.is(first.hash, second.hash);
  }
});

test.run();
