// `holdfast gremlin`: makes trouble on purpose, for all nodes, and ends it.

import type { z } from 'zod';
import { limits } from '../../actors/limits.js';
import { GREMLIN_KINDS, GREMLIN_TARGETS } from '../../actors/ports/gremlin-setting.js';
import type { gremlinReply } from '../../http/api/reply-schemas.js';
import { BadCommand, type CommandGroup, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { interrupted } from './place.js';
import { factsOf } from './status.js';
import { type Ask, System } from './system.js';

const EXITS = '0: done; 1: refused, as in production without GREMLIN=on';

export const gremlinCommands: CommandGroup = {
  name: 'gremlin',
  summary: 'Make trouble on purpose, to see that orders stay right',
  commands: [
    {
      name: 'status',
      summary: 'Show the rules of the gremlin, and how often it was asked and hit',
      about: 'system',
      examples: [{ line: 'gremlin status', what: 'the counts are of the node that answers' }],
      exits: EXITS,
      run: (_given, terminal) => tell(terminal, { path: '/internal/gremlin/status' }),
    },
    {
      name: 'enable',
      summary: 'Start the gremlin, on all nodes; it ends by itself',
      about: 'system',
      options: [
        { name: '--target', value: 'WHAT', what: 'inventory if it is left out', words: GREMLIN_TARGETS },
        { name: '--kind', value: 'KIND', what: 'latency if it is left out', words: GREMLIN_KINDS },
        { name: '--every', value: 'N', what: 'each n-th; 3 if it is left out' },
        { name: '--probability', value: 'P', what: 'from 0 to 1, instead of --every' },
        { name: '--delay-ms', value: 'MS', what: 'how late' },
        { name: '--for', value: 'SECONDS', what: `${limits.gremlinForSDefault} if it is left out` },
        { name: '--seed', value: 'N', what: 'the same seed makes the same decisions' },
      ],
      examples: [
        {
          line: 'gremlin enable --target payment --kind drop --probability 0.2 --for 60',
          what: 'loses answers of the provider',
        },
      ],
      exits: EXITS,
      run: (given, terminal) =>
        tell(terminal, { method: 'POST', path: '/internal/gremlin/enable', body: ruleIn(given) }),
    },
    {
      name: 'disable',
      summary: 'Stop the gremlin, on all nodes',
      about: 'system',
      examples: [{ line: 'gremlin disable', what: 'its counts stay visible' }],
      exits: EXITS,
      run: (_given, terminal) => tell(terminal, { method: 'POST', path: '/internal/gremlin/disable' }),
    },
  ],
};

export type Gremlin = z.output<typeof gremlinReply>['data'];

const ASK_MS = 10_000;

/** The bounds are the system's: it names the field. */
function ruleIn(given: Given): object {
  const word = (option: string, name: string) => {
    const value = given.text(option);
    return value === undefined ? {} : { [name]: value };
  };
  const whole = (option: string, name: string) => {
    const value = given.text(option);
    return value === undefined ? {} : { [name]: wholeIn(option, value, 0, 999_999_999) };
  };
  return {
    ...word('--target', 'target'),
    ...word('--kind', 'kind'),
    ...whole('--every', 'every'),
    ...chanceIn(given.text('--probability')),
    ...whole('--delay-ms', 'delay_ms'),
    ...whole('--for', 'for_s'),
    ...whole('--seed', 'seed'),
  };
}

function chanceIn(text: string | undefined): object {
  if (text === undefined) return {};
  const probability = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (probability >= 0 && probability <= 1) return { probability };
  throw new BadCommand(`--probability must be a number from 0 to 1, not "${text}"`);
}

async function tell(terminal: Terminal, ask: Ask): Promise<number> {
  const { body } = await System.at(terminal, ASK_MS, interrupted()).ask(ask);
  const { data } = body as { readonly data: Gremlin };
  terminal.answer(data, gremlinLines(data));
  return EXIT.done;
}

const gremlinLines = ({ enabled, until, seed, rules = [], asked, hits }: Gremlin): string[] => [
  enabled ? `on until ${until}, seed ${seed}` : 'off',
  ...(enabled ? rules.map((rule) => `  ${factsOf(rule)}`) : []),
  ...Object.entries(asked).map(
    ([target, count]) =>
      `  ${target}: asked ${count}, hit ${factsOf(hits[target as keyof typeof hits] ?? {}) || 'never'}`,
  ),
];
