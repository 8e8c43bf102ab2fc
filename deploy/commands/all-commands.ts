// All commands, in the order of the help. To add one, write its file and add it here: parser, help and completions follow.

import { archiveCommand } from './archive.js';
import { backupCommand } from './backup.js';
import type { Command, CommandGroup } from './command.js';
import { completionCommands } from './completions.js';
import { dlqCommands } from './dlq.js';
import { eventsCommand } from './events.js';
import { feedCommands } from './feed.js';
import { forgetCommand } from './forget.js';
import { gremlinCommands } from './gremlin.js';
import { keysCommands } from './keys.js';
import { migrateCommand } from './migrate.js';
import { nodesCommand } from './nodes.js';
import { offsiteCommand } from './offsite.js';
import { orderCommand, ordersCommand } from './orders.js';
import { placeCommand } from './place-order.js';
import { restoreCommand } from './restore.js';
import { statusCommand } from './status.js';
import { stockCommand } from './stock.js';
import { stopCommand } from './stop.js';
import { urlCommands } from './url.js';
import { verifyCommand } from './verify.js';
import { versionCommand } from './version-command.js';
import { watchCommand } from './watch.js';

export const allCommands: readonly (Command | CommandGroup)[] = [
  placeCommand,
  orderCommand,
  ordersCommand,
  stockCommand,
  statusCommand,
  watchCommand,
  eventsCommand,
  nodesCommand,
  gremlinCommands,
  dlqCommands,
  forgetCommand,
  feedCommands,
  verifyCommand,
  keysCommands,
  backupCommand,
  restoreCommand,
  offsiteCommand,
  archiveCommand,
  migrateCommand,
  urlCommands,
  stopCommand,
  completionCommands(() => allCommands),
  versionCommand,
];
