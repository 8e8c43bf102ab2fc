/** What the log says once the node takes orders. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeId } from '../../../actors/ids.js';
import { readConfig } from '../../../deploy/config/config.js';
import { tellRationing } from '../../../deploy/telemetry/start-lines.js';

const test = suite('start lines');

async function warnings(env: NodeJS.ProcessEnv, ...names: string[]): Promise<string[]> {
  const said: string[] = [];
  const logger = { debug() {}, info() {}, error() {}, warn: (_fields: object, line: string) => void said.push(line) };
  const nodes = async () => names.map((name) => ({ node: nodeId(name), name, alive: undefined }));
  await tellRationing(readConfig(env), { nodes }, logger);
  return said;
}

test('RATE_LIMIT without Redis is named where there are several nodes, and nowhere else', async () => {
  assert.match(
    (await warnings({ RATE_LIMIT: '9/1' }, 'a', 'b', 'c')).join(),
    /this process alone, .* 3 nodes: set REDIS_URL/,
  );
  assert.equal(await warnings({ RATE_LIMIT: '9/1' }, 'a'), []);
  assert.equal(await warnings({ RATE_LIMIT: '9/1', REDIS_URL: 'redis://r' }, 'a', 'b'), []);
  assert.equal(await warnings({}, 'a', 'b'), []);
});

test.run();
