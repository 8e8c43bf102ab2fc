/** `holdfast dlq` against the API's own edge: what has failed for good is listed, shown, and sent once more. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BadCommand } from '../../../deploy/commands/command.js';
import { dlqCommands } from '../../../deploy/commands/dlq.js';
import { Refused } from '../../../deploy/commands/system.js';
import { failedDelivery, partnerWebhook } from '../../../http/api/operations/examples.js';
import { type Fixture, startFixture } from '../edge/edge-fixture.js';
import { memoryTerminal, typed } from './memory-terminal.js';

const test = suite<{ fixture: Fixture; run: (line: string, isJson?: boolean) => Promise<Ran> }>('holdfast dlq');

interface Ran {
  readonly code: number;
  readonly out: string[];
  readonly said: string;
}

test.before.each(async (context) => {
  const fixture = await startFixture();
  context.fixture = fixture;
  context.run = async (line, isJson = false) => {
    const words = line.split(' ');
    const terminal = memoryTerminal({ env: { HOLDFAST_URL: fixture.base }, isJson });
    const command = dlqCommands.commands.find(({ name }) => name === words[0]);
    assert.ok(command);
    const code = await command.run(typed([dlqCommands], 'dlq', ...words), terminal);
    return { code, out: terminal.out, said: terminal.said.join('\n') };
  };
});
test.after.each(({ fixture }) => fixture.stop());

interface Failed {
  readonly id: string;
  readonly webhook_id: string;
  readonly url: string;
  readonly state: string;
}

test('a failed delivery is listed with its webhook, shown, and once retried it is listed no more', async ({ run }) => {
  const listed = await run('list', true);
  const failed = JSON.parse(listed.out[0] ?? '') as Failed[];
  assert.is(failed.length, 1);
  const [{ id, ...rest } = { id: '', webhook_id: '', url: '', state: '' }] = failed;
  assert.equal([rest.webhook_id, rest.url, rest.state], [partnerWebhook.id, partnerWebhook.url, 'failed']);
  const table = (await run(`list --webhook ${partnerWebhook.id}`)).out;
  assert.match(table[0] ?? '', /^ID +EVENT +TYPE +ATTEMPTS +STATUS +ENDED +WEBHOOK +ERROR$/);
  assert.ok(table[1]?.startsWith(id) && table[1].includes(failedDelivery.event_id));

  const shown = await run(`show ${id}`);
  assert.is(shown.code, 0);
  assert.ok(shown.out.includes(`event_id: ${failedDelivery.event_id}`));

  const retried = await run(`retry ${id}`, true);
  assert.equal([retried.code, JSON.parse(retried.out[0] ?? '')], [0, { retried: [id] }]);
  const again = await run('list');
  assert.equal([again.code, again.out, again.said], [0, [], 'No delivery has failed for good.']);
  assert.is((await run(`show ${id}`)).code, 1);
});

test('retry --all sends all of them once more', async ({ run }) => {
  assert.equal((await run('retry --all')).out, ['1 wait to be sent once more.']);
  assert.equal((await run('retry --all')).out, ['0 wait to be sent once more.']);
});

test('what is not there is exit 1, and what is unclear is not done', async ({ run }) => {
  const none = await run('retry 4711');
  assert.is(none.code, 1);
  assert.match(none.said, /No delivery 4711 has failed for good/);
  const unknown = await run('list --webhook WH-NONE').catch((thrown: unknown) => thrown);
  assert.instance(unknown, Refused);
  assert.match((unknown as Error).message, /WH-NONE/);
  for (const line of ['retry', 'retry 4711 --all', 'list --limit 0']) {
    try {
      await run(line);
      assert.unreachable(line);
    } catch (error) {
      assert.instance(error, BadCommand, line);
    }
  }
});

test.run();
