import { version } from '../version.js';
import { type Command, EXIT } from './command.js';

export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version',
  about: 'nothing',
  examples: [{ line: 'version', what: 'of this command, not of the system that it asks' }],
  exits: '0: printed',
  run: async (_given, terminal) => {
    terminal.answer({ version }, version);
    return EXIT.done;
  },
};
