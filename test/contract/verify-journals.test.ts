// `verify` on the journals of three nodes, made by hand. They are clean as made, flushed or not, and while they grow during
// the look. Each law is broken once, by one change, and is named.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { writeId } from '../../actors/ids.js';
import { EVENTS_SEAL, eventBatch } from '../../actors/node/cloud-events.js';
import { journalLog } from '../../actors/node/record.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import type { Log } from '../../actors/ports/log.js';
import type { Line } from '../../actors/protocol.js';
import { memoryLog } from '../../bus/journal/memory-log.js';
import { postgresSnapshots } from '../../storage/snapshots/snapshots.js';
import type { EventPages } from '../../storage/verify/public-events.js';
import { reportOf } from '../../storage/verify/report.js';
import type { Verdict } from '../../storage/verify/verdict.js';
import { verify } from '../../storage/verify/verify.js';
import { HandMade, type MadeTurn, orderIn, PARTITIONS, productIn } from './rig/hand-made-journals.js';
import { testDatabase } from './rig/storage-database.js';
import { uniqueName } from './rig/storage-samples.js';

const TABLES =
  'orders, order_items, order_turns, products, inventory_operations, journals, partitions, order_search_queue, order_stats_queue, order_stats_days, order_stats_months';

const database = await testDatabase();
if (database !== undefined) {
  const { client } = database;
  const snapshots = postgresSnapshots(client);
  const test = suite('verify: the journals of several nodes');

  // -------------------------------------------------------------- the story

  const received = (made: HandMade, name: string, product: ReturnType<typeof productIn>, quantity: number) =>
    made.turn(name, {
      to: { kind: 'product', id: product },
      command: {
        ...{ type: 'receive', ref: writeId(uniqueName('W')), fingerprint: 'f', name: 'Thing' },
        ...{ unitPrice: 100, currency: 'USD', quantity },
      },
    });
  const placed = (made: HandMade, name: string, order: ReturnType<typeof orderIn>, lines: readonly Line[]) =>
    made.turn(name, {
      to: { kind: 'order', id: order },
      command: {
        type: 'place',
        content: { user: 'user-1' as never, userIsNumber: false, lines },
        correlation: 'made',
      },
    });

  interface Story {
    readonly made: HandMade;
    /** Sent, and not handled yet. */
    readonly underWay: NumberedLetter[];
  }

  /**
   * A has partitions 0 and 3, B has 1, C has 2. An order at A takes stock of B and C. Then B gives partition 1 to C, and
   * another order takes stock there. Each turn has its place in its journal:
   *   A: 1 joins 0 and 3, 2 places, 3 is answered, 4 confirms, 5 places, 6 confirms
   *   B: 1 joins 1, 2 receives, 3 holds, 4 commits        C: 1 joins 2, 2 receives, 3 holds, 4 joins 1, 5 holds
   */
  async function story(log: Log = memoryLog()): Promise<Story> {
    await client.query('begin again', `truncate ${TABLES}`);
    const made = new HandMade(log, snapshots);
    for (const name of ['A', 'B', 'C']) await made.open(name);
    made.claim('A', 0, 3);
    made.claim('B', 1);
    made.claim('C', 2);
    made.join('A', 0, 3);
    made.join('B', 1);
    made.join('C', 2);
    const [x, y] = [productIn(1), productIn(2)];
    received(made, 'B', x, 10);
    received(made, 'C', y, 5);
    const [toX, toY] = placed(made, 'A', orderIn(0), [
      { product: x, quantity: 2 },
      { product: y, quantity: 1 },
    ]);
    const [fromX] = made.arrives('B', toX);
    const [fromY] = made.arrives('C', toY);
    made.arrives('A', fromX);
    const [commitX, commitY] = made.arrives('A', fromY);
    made.arrives('B', commitX);
    for (const letter of [toX, toY, fromX, fromY, commitX]) if (letter !== undefined) made.confirm(letter);
    await made.flush('B');
    made.release('B', 1, 'C');
    made.claim('C', 1);
    made.join('C', 1);
    const [again] = placed(made, 'A', orderIn(0), [{ product: x, quantity: 1 }]);
    const [answer] = made.arrives('C', again);
    const [commit] = made.arrives('A', answer);
    for (const letter of [again, answer]) if (letter !== undefined) made.confirm(letter);
    return { made, underWay: [commitY, commit].flatMap((letter) => letter ?? []) };
  }

  const look = (log: Log) => verify({ client, log, partitions: PARTITIONS });
  const sentences = (verdict: Verdict) => verdict.violations.map(({ sentence }) => sentence);
  const clean = (verdict: Verdict) => assert.is(verdict.total, 0, reportOf(verdict).join('\n'));
  const turn = (made: HandMade, name: string, n: number): MadeTurn => {
    const it = made.journal(name).turns[n - 1];
    if (it === undefined) throw new Error(`journal ${name} has no record ${n}`);
    return it;
  };

  // -------------------------------------------------------------- clean

  test('clean as made, with any of the journals flushed, and after the last letters', async () => {
    for (const flushed of [[], ['A'], ['C'], ['A', 'C']]) {
      const { made } = await story();
      for (const name of flushed) await made.flush(name);
      await made.store();
      const verdict = await look(made.log);
      clean(verdict);
      assert.is(verdict.looks, 1);
      assert.is(verdict.checked.journals, 3);
      assert.is(verdict.checked.records, 15);
    }
    const { made, underWay } = await story();
    for (const letter of underWay) made.arrives('C', letter);
    await made.store();
    clean(await look(made.log));
  });

  test('clean after a node is gone: its journal is sealed, taken over, and forgotten at last', async () => {
    const { made, underWay } = await story();
    await made.open('D');
    made.seal('A');
    made.claim('D', 0, 3);
    await made.store();
    await snapshots.closeJournals([made.journal('A').name]);
    clean(await look(made.log));
    made.join('D', 0, 3);
    for (const letter of underWay) made.arrives('C', letter);
    await made.store();
    clean(await look(made.log));
    await made.flush('D');
    await made.flush('C');
    clean(await look(made.log));
    await made.log.trim(journalLog(made.journal('A').name), Number.MAX_SAFE_INTEGER);
    await snapshots.forgetJournal(made.journal('A').name);
    clean(await look(made.log));
  });

  test('clean after a journal is forgotten from which everything was released, and after a late close of it', async () => {
    const { made } = await story();
    made.seal('B');
    await made.flush('C');
    await made.store();
    const { name } = made.journal('B');
    await snapshots.closeJournals([name]);
    clean(await look(made.log));
    await made.log.trim(journalLog(name), Number.MAX_SAFE_INTEGER);
    await snapshots.forgetJournal(name);
    clean(await look(made.log));
    await snapshots.closeJournals([name]);
    clean(await look(made.log));
  });

  test('clean while all journals grow and a partition moves during the look', async () => {
    const { made, underWay } = await story();
    await made.store();
    const { log } = made;
    let [steps, owner] = [0, 'C'];
    // More is appended everywhere: a letter by A, what the owner makes of it, and once the partition moves.
    const step = async () => {
      steps++;
      if (steps === 4) {
        await made.flush('C');
        made.release('C', 1, 'B');
        made.claim('B', 1);
        made.join('B', 1);
        owner = 'B';
      }
      for (const letter of underWay.splice(0)) made.arrives(letter.to === 1 ? owner : 'C', letter);
      const [hold] = placed(made, 'A', orderIn(0), [{ product: stock, quantity: 1 }]);
      const [answer] = made.arrives(owner, hold);
      underWay.push(...made.arrives('A', answer));
      await made.store();
    };
    let before: Promise<unknown> = Promise.resolve();
    const growing: Log = {
      ...log,
      // One after the other: what comes after the end of this log, the next one has seen.
      read(name, after) {
        const page = before.then(() => log.read(name, after));
        before = page.then((records) => (records.length === 0 ? step() : undefined));
        return page;
      },
    };
    const stock = underWay.find(({ to }) => to === 1)?.letter.to.id as ReturnType<typeof productIn>;
    const verdict = await look(growing);
    clean(verdict);
    assert.is(verdict.looks, 1);
    assert.ok(steps > 6);
    clean(await look(log));
  });

  // -------------------------------------------------------------- each law, broken once

  interface Fault {
    readonly name: string;
    /** Before the journals are stored. */
    readonly make?: (made: HandMade) => unknown;
    /** After that: a tampering with the rows. */
    readonly rows?: (made: HandMade) => string;
    readonly words: (made: HandMade) => RegExp;
  }

  const faults: readonly Fault[] = [
    {
      name: 'a record at an epoch of another journal',
      make: (made) => {
        turn(made, 'C', 5).parts[1] = { epoch: 1, seen: { 0: 3 } };
      },
      words: (made) =>
        new RegExp(
          `journal ${made.journal('C').name}: record 5 touches partition 1 at epoch 1, which belongs to ${made.journal('B').name}`,
        ),
    },
    {
      name: 'a record at an epoch that nobody has claimed',
      make: (made) => {
        turn(made, 'A', 5).parts[0] = { epoch: 2 };
      },
      words: () => /record 5 touches partition 0 at epoch 2, which belongs to nobody/,
    },
    {
      name: 'a record after the release',
      make: (made) =>
        made
          .journal('B')
          .turns.push({ ...turn(made, 'B', 4), id: 'late', n: 5, cascades: [], parts: { 1: { epoch: 1 } } }),
      words: (made) =>
        new RegExp(
          `journal ${made.journal('B').name}: record 5 touches partition 1 at epoch 1, after its release at 4`,
        ),
    },
    {
      name: 'a partition that never joined',
      make: (made) => {
        delete turn(made, 'C', 4).joins;
      },
      words: () => /record 4 touches partition 1 at epoch 2 without a join/,
    },
    {
      name: 'a record before the join',
      make: (made) => {
        turn(made, 'C', 3).parts[1] = { epoch: 2 };
      },
      words: () => /record 4 joins partition 1 at epoch 2, which record 3 has touched before/,
    },
    {
      name: 'a join at an epoch that the claims gave to another',
      make: (made) => {
        turn(made, 'A', 6).parts[1] = { epoch: 2 };
        turn(made, 'A', 6).joins = [{ partition: 1, epoch: 2, after: [] }];
      },
      words: (made) =>
        new RegExp(`record 6 touches partition 1 at epoch 2, which belongs to ${made.journal('C').name}`),
    },
    {
      name: 'a join that names no journal before',
      make: (made) => {
        turn(made, 'C', 4).joins = [{ partition: 1, epoch: 2, after: [] }];
      },
      words: (made) =>
        new RegExp(`record 4 joins partition 1 at epoch 2 without naming journal ${made.journal('B').name}`),
    },
    {
      name: 'a join that waits for too little',
      make: (made) => {
        turn(made, 'C', 4).joins = [{ partition: 1, epoch: 2, after: [[made.journal('B').name, 3]] }];
      },
      words: () => /record 4 joins partition 1 at epoch 2 after n 3 of journal .*, expected 4/,
    },
    {
      name: 'a letter handled that nobody sent',
      make: (made) => {
        turn(made, 'A', 5).letters = [];
        turn(made, 'A', 6).letters = [];
      },
      words: () => /record 5 has seen letter 3 of channel 0 to 1, which ends at 2/,
    },
    {
      name: 'a letter handled twice',
      make: (made) => {
        turn(made, 'C', 5).parts[1] = { epoch: 2, seen: { 0: 2 } };
      },
      words: () => /channel 0 to 1: record 5 of journal .* handles letter 2 after letter 2/,
    },
    {
      name: 'a number given twice',
      make: (made) => {
        const { letters } = turn(made, 'A', 6);
        turn(made, 'A', 6).letters = letters.map((letter) => ({ ...letter, number: 3 }));
      },
      words: () => /channel 0 to 1: record 6 of journal .* gives number 3, expected 4/,
    },
    {
      name: 'a number left out',
      make: (made) => {
        const { letters } = turn(made, 'A', 6);
        turn(made, 'A', 6).letters = letters.map((letter) => ({ ...letter, number: 5 }));
      },
      words: () => /channel 0 to 1: letter 4 is sent and not handled, and is in no row and no journal/,
    },
    {
      name: 'a letter lost from its sender',
      make: (made) => made.flush('A'),
      rows: () =>
        `update partitions set sent = replace(sent::text, '"number":4', '"number":3')::json where partition = 0`,
      words: () => /channel 0 to 1: letter 4 is sent and not handled, and is in no row and no journal/,
    },
    {
      name: 'a watermark beyond what was sent',
      make: (made) => made.flush('B'),
      rows: () => `update partitions set seen = '{"0":7}' where partition = 1`,
      words: () => /channel 0 to 1: letter 7 is handled, the last that was sent is 4/,
    },
    {
      name: 'a letter to a partition where its receiver is not',
      make: (made) => {
        const { letters } = turn(made, 'A', 6);
        turn(made, 'A', 6).letters = letters.map((letter) => ({ ...letter, to: 3, number: 1 }));
      },
      words: () => /record 6 sends letter 1 of channel 0 to 3 to product .* of partition 1/,
    },
    {
      name: 'an actor changed without its partition',
      make: (made) => {
        turn(made, 'C', 3).parts = {};
      },
      words: () => /record 3 changes product .* without its partition 2/,
    },
    {
      name: 'a second writer',
      make: (made) => {
        turn(made, 'C', 3).journal = made.journal('A').name;
      },
      words: (made) =>
        new RegExp(`journal ${made.journal('C').name}: record 3 says it is of journal ${made.journal('A').name}`),
    },
    {
      name: 'a claim without a release or a seal',
      make: (made) => {
        made.claims.splice(3, 1);
        made.claims[3] = (made.claims[3] ?? []).map((claim) => claim && { ...claim });
      },
      words: (made) =>
        new RegExp(
          `journal ${made.journal('B').name}: partition 1 was claimed from it, though it ends at 4 without a seal or a release`,
        ),
    },
    {
      name: 'a release beyond what is flushed',
      rows: (made) =>
        `update journals set n = 3, position = 3, record_id = '${turn(made, 'B', 3).id}' where journal = '${made.journal('B').name}'`,
      words: (made) =>
        new RegExp(
          `partition 1: its epoch 1 is released from journal ${made.journal('B').name} at 4, expected at most 3`,
        ),
    },
    {
      name: 'a journal forgotten too early',
      rows: (made) => `delete from journals where journal = '${made.journal('A').name}'`,
      words: (made) =>
        new RegExp(`journal ${made.journal('A').name}: its row is missing, though the rows lack what partition 0 did`),
    },
    {
      name: 'a live journal closed',
      rows: (made) => `update journals set closed = true where journal = '${made.journal('C').name}'`,
      words: (made) =>
        new RegExp(`journal ${made.journal('C').name}: it ends at 5 without a seal, though its row is closed`),
    },
    {
      name: 'a join in the rows whose partition is not',
      make: (made) => made.flush('C'),
      rows: (made) => `update partitions set epoch = 1, journal = '${made.journal('B').name}' where partition = 1`,
      words: () =>
        /record 4 joins partition 1 at epoch 2, and is in the rows, though the partition's row is of epoch 1/,
    },
    {
      name: 'a product in a partition where nobody looks for it',
      rows: () => 'update products set partition = 3',
      words: () => /product .*: products\.partition is 3, expected 1/,
    },
    {
      name: 'an unsettled order in a partition where nobody looks for it',
      make: (made) => {
        placed(made, 'A', orderIn(0), [{ product: productIn(1), quantity: 1 }]);
        return made.flush('A');
      },
      rows: () => 'update orders set partition = 2',
      words: () => /order .*: orders\.partition is 2, expected 0/,
    },
    {
      name: 'an event left out between two journals',
      make: (made) => {
        const { cascades } = turn(made, 'C', 5);
        turn(made, 'C', 5).cascades = cascades.map(({ correlation, events }) => ({
          correlation,
          events: events.map((event) => ({ ...event, version: event.version + 1 })),
        }));
      },
      words: () => /product .* version 5|product .*expected 4|event 5/,
    },
  ];

  for (const { name, make, rows, words } of faults) {
    test(`named: ${name}`, async () => {
      const { made } = await story();
      await make?.(made);
      await made.store();
      if (rows !== undefined) await client.query('tamper', rows(made));
      const verdict = await look(made.log);
      const found = sentences(verdict);
      assert.ok(
        found.some((sentence) => words(made).test(sentence)),
        `${words(made)} in:\n${reportOf(verdict).join('\n')}`,
      );
      assert.ok(verdict.looks <= 3);
    });
  }

  /** What the journals' turns are on EVENTS, in the order of their moments. */
  const batches = (made: HandMade): string[] =>
    ['A', 'B', 'C']
      .flatMap((name) => made.journal(name).turns)
      .sort((a, b) => a.at - b.at)
      .flatMap((each) => eventBatch(each, 'test') || []);
  const onEvents = (texts: readonly string[], from = 1): EventPages => {
    const entries = texts.map((record, i) => ({ position: from + i, record }));
    return async (after) => entries.filter(({ position }) => position > after).slice(0, 2);
  };

  test('EVENTS has the events of each actor once and in order, from wherever it begins', async () => {
    const { made } = await story();
    await made.store();
    const all = batches(made);
    assert.ok(all.length > 8);
    const judged = (publicEvents: EventPages) =>
      verify({ client, log: made.log, partitions: PARTITIONS, publicEvents });
    const verdict = await judged(onEvents([...all.slice(0, 3), EVENTS_SEAL, ...all.slice(3)]));
    clean(verdict);
    assert.is(verdict.checked.published, all.flatMap((text) => JSON.parse(text)).length);
    clean(await judged(onEvents(all.slice(4), 5)));

    const last = all.length - 1;
    const product = (text = '') => (JSON.parse(text) as { id: string }[]).some(({ id }) => id.startsWith('product/'));
    const moves = all.flatMap((text, i) => (product(text) ? [i] : []));
    const named = async (texts: readonly string[], words: RegExp) => {
      const found = sentences(await judged(onEvents(texts)));
      assert.ok(
        found.some((sentence) => words.test(sentence)),
        `${words} in:\n${found.join('\n')}`,
      );
    };
    await named([...all, all[last] ?? ''], /promise 4.*its event \d+ is on EVENTS again after event \d+/);
    const [second = 0] = moves.filter((i) => /\/2"/.test(all[i] ?? ''));
    await named(
      all.filter((_, i) => i !== second),
      /promise 5.*product .*: its event 3 is on EVENTS after event 1, expected 2/,
    );
    const swapped = [...all];
    const third = moves.find((i) => /\/3"/.test(all[i] ?? '')) ?? 0;
    [swapped[second], swapped[third]] = [all[third] ?? '', all[second] ?? ''];
    await named(swapped, /product .*: its event 3 is on EVENTS after event 1, expected 2/);
  });

  test('what the retention of EVENTS takes during the look is no gap', async () => {
    const { made } = await story();
    await made.store();
    const all = batches(made);
    const entries = all.map((record, i) => ({ position: i + 1, record }));
    const taken: EventPages = async (after) =>
      after === 0 ? entries.slice(0, 2) : entries.filter(({ position }) => position > Math.max(after, all.length - 3));
    clean(await verify({ client, log: made.log, partitions: PARTITIONS, publicEvents: taken }));
  });

  test('named: claims that are gone before anything is flushed', async () => {
    const { made } = await story();
    await made.store();
    await client.query('tamper', 'delete from partitions');
    await made.log.trim('claims', 4);
    const verdict = await look(made.log);
    assert.ok(
      sentences(verdict).some((each) =>
        /partition 1: its row is missing, though its claims before epoch 2 are gone/.test(each),
      ),
    );
  });

  test('named: a record lost from the middle of a tail', async () => {
    const { made } = await story();
    made.journal('A').turns.splice(2, 1);
    await made.store();
    const verdict = await look(made.log);
    assert.is(verdict.total, 1);
    assert.match(sentences(verdict)[0] ?? '', /journal .* has record 4 after 2: records are lost/);
  });

  test.after(() => database.stop());
  test.run();
}
