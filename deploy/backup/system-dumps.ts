// What makes and judges the dumps of this system.

import type { Logger } from '../../actors/ports/runtime.js';
import type { Dumps } from '../../storage/backup/dump.js';
import type { Config } from '../config/config.js';
import type { Servers } from '../servers/servers.js';
import type { Stores } from '../stores.js';

export function systemDumps(_config: Config, _servers: Servers, _stores: Stores, _logger: Logger): Dumps {
  const none = () => Promise.reject(new Error('this version takes no dumps'));
  return { take: none, check: none };
}
