/** The connection that trims is made at the first trim, once, and again once it has ended or could not be made. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Nats } from '../../../bus/nats/nats.js';
import { TrimConnection } from '../../../bus/nats/trim-connection.js';

const test = suite('the connection that trims');

function rig() {
  const made = { connects: 0, fails: 0, closed: 0, statuses: [] as string[] };
  const connect = async (): Promise<Nats> => {
    const id = made.connects++;
    if (made.fails-- > 0) throw new Error(`refused ${id}`);
    made.statuses[id] = 'connected';
    return {
      get status() {
        return made.statuses[id];
      },
      api: async (verb: string) => `${verb} by ${id}`,
      close: async () => void made.closed++,
    } as unknown as Nats;
  };
  return { made, trims: new TrimConnection(connect) };
}
const failure = (asked: Promise<unknown>) =>
  asked.then(
    () => 'it was answered',
    (error: Error) => error.message,
  );

test('nobody connects before the first trim, and trims at once share one connection', async () => {
  const { made, trims } = rig();
  assert.is(made.connects, 0);
  assert.equal(await Promise.all([trims.api('A'), trims.api('B')]), ['A by 0', 'B by 0']);
  assert.is(await trims.api('C'), 'C by 0');
  assert.is(made.connects, 1);
  await trims.close();
  assert.is(made.closed, 1);
  assert.match(await failure(trims.api('D')), /closed/);
  assert.is(made.connects, 1);
});

test('one that could not be made says why, to all who wait for it, and the next trim makes one', async () => {
  const { made, trims } = rig();
  made.fails = 1;
  const both = [failure(trims.api('A')), failure(trims.api('B'))];
  assert.equal(await Promise.all(both), ['refused 0', 'refused 0']);
  assert.equal(await Promise.all([trims.api('A'), trims.api('B')]), ['A by 1', 'B by 1']);
  assert.is(made.connects, 2);
});

test('one that the broker has ended for good is made anew, and one that waits for the broker is kept', async () => {
  const { made, trims } = rig();
  await trims.api('A');
  made.statuses[0] = 'disconnected';
  assert.is(await trims.api('A'), 'A by 0');
  made.statuses[0] = 'closed';
  assert.equal(await Promise.all([trims.api('A'), trims.api('B')]), ['A by 1', 'B by 1']);
  assert.is(made.connects, 2, 'none is left over');
  await trims.close();
});

test('it can be closed before it was made, and after it could not be', async () => {
  const { made, trims } = rig();
  await trims.close();
  const other = rig();
  other.made.fails = 1;
  assert.is(await failure(other.trims.api('A')), 'refused 0');
  await other.trims.close();
  assert.equal([made.closed, other.made.closed], [0, 0]);
});

test.run();
