// Not a test: a process that servers.test.ts starts, stops and kills. It opens the DATA_DIR of its environment,
// starts both servers if told `servers`, prints one JSON line and stays until SIGTERM.

import { readConfig } from '../../../deploy/config/config.js';
import { openDataDir } from '../../../deploy/servers/data-dir.js';
import { type Servers, startServers } from '../../../deploy/servers/servers.js';

const config = readConfig(process.env);
try {
  const dataDir = await openDataDir(config.dataDir);
  let servers: Servers | undefined;
  if (process.argv.includes('servers')) servers = await startServers(config, dataDir, (line) => console.error(line));
  const stay = setInterval(() => {}, 60_000);
  process.once('SIGTERM', async () => {
    await servers?.stop();
    await dataDir.release();
    clearInterval(stay);
  });
  console.log(JSON.stringify({ held: dataDir.nodeId, postgres: servers?.postgres, nats: servers?.nats }));
} catch (error) {
  console.log(JSON.stringify({ refused: (error as Error).name, why: (error as Error).message }));
  process.exitCode = 3;
}
