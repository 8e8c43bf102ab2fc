// `holdfast watch`: a system at a glance, refreshed in place until q or Ctrl-C. In a pipe it prints a line a look.
//
// Law: however it ends, the terminal is as it was: its screen, its cursor, its keys.

import { underAny } from '../../bus/joined-signal.js';
import { type Command, EXIT, type Given, type Terminal, wholeIn } from './command.js';
import { lastVerdict } from './last-verdict.js';
import { interrupted } from './place.js';
import { Interrupted, System } from './system.js';
import { type Sample, sampleOf } from './watch-sample.js';
import { knownOf, lineOf, type Seen, screenOf } from './watch-view.js';

export const watchCommand: Command = {
  name: 'watch',
  summary: 'Watch orders, stock, nodes and parts, refreshed in place',
  about: 'system',
  options: [
    { name: '--every', value: 'SECONDS', what: '2 if it is left out, 1 to 3600' },
    { name: '--low', value: 'N', what: 'stock is at risk where N pieces or fewer are available; 10 if it is left out' },
    { name: '--count', value: 'N', what: 'end after N looks' },
  ],
  notes: [
    'q or Ctrl-C ends it. In a pipe it prints one line a look, or with --json one value a line.',
    'The rate is of all nodes. p50 and p99 are of the orders that the node which answers was asked to place.',
    "verify's last verdict is of `holdfast verify` in the DATA_DIR of this environment.",
    'It shows everything with a key of the scope admin. What a key may not see is named.',
  ],
  examples: [{ line: 'watch --count 2 --every 1', what: 'two looks' }],
  exits: '0: ended by q, by Ctrl-C or by --count; 1: refused',
  run: watch,
};

/** For all questions of a look. */
const LOOK_MS = 4_000;
const PRODUCTS_EVERY = 5;
/** q, Ctrl-C and Ctrl-D. */
const END_KEYS = ['q', 'Q', '\x03', '\x04'];
const [ENTER, LEAVE] = ['\x1b[?1049h\x1b[?25l', '\x1b[?25h\x1b[?1049l'];
const [HOME, CLEAR_LINE, CLEAR_BELOW] = ['\x1b[H', '\x1b[K', '\x1b[J'];

async function watch(given: Given, terminal: Terminal): Promise<number> {
  const everyMs = 1_000 * wholeIn('--every', given.text('--every') ?? '2', 1, 3_600);
  const low = wholeIn('--low', given.text('--low') ?? '10', 0, 999_999_999);
  const count =
    given.text('--count') === undefined ? undefined : wholeIn('--count', given.text('--count') ?? '', 1, 999_999_999);
  const quit = new AbortController();
  const shown = { everyMs, low, count };
  return underAny([quit.signal, interrupted()], (over) => looks(shown, terminal, over, () => quit.abort()));
}

interface Shown {
  readonly everyMs: number;
  readonly low: number;
  readonly count: number | undefined;
}

async function looks(
  { everyMs, low, count }: Shown,
  terminal: Terminal,
  over: AbortSignal,
  onQuit: () => void,
): Promise<number> {
  const system = System.at(terminal, LOOK_MS, over, () => {}); // The screen says who does not answer.
  process.stdout.once('error', onQuit); // Whoever read it has gone, as head does.
  // The first look comes before the screen: what is wrong with the address or the key is said, and the command ends.
  await system.ask({ path: '/livez' });
  const screen = terminal.columns === undefined || terminal.isJson ? undefined : openScreen(onQuit);
  let before: Sample | undefined;
  try {
    for (let look = 0; !over.aborted && (count === undefined || look < count); look++) {
      if (look > 0) await system.sleep(everyMs);
      system.renew();
      const now = await sampleOf(system, terminal.now(), look % PRODUCTS_EVERY === 0, before);
      const seen: Seen = { url: system.url, now, before, low, verdict: await verdictFor(terminal) };
      if (screen !== undefined) screen.show((columns, rows) => screenOf(seen, terminal, columns, rows));
      else terminal.print(terminal.isJson ? JSON.stringify(knownOf(seen)) : lineOf(seen));
      before = now;
    }
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    screen?.close();
  }
  return EXIT.done;
}

/** A verdict belongs to the system of this environment, and not to another address. */
async function verdictFor({ env, config }: Terminal) {
  if ((env.HOLDFAST_URL ?? '') !== '') return undefined;
  return lastVerdict(config().dataDir);
}

/** The second screen of the terminal, without a cursor and without echo. */
function openScreen(onQuit: () => void) {
  const { stdin, stdout } = process;
  let frame: ((columns: number, rows: number) => string[]) | undefined;
  let isOpen = true;
  const draw = () => {
    const lines = frame?.(stdout.columns, stdout.rows) ?? [];
    stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`);
  };
  const onKeys = (keys: Buffer) => {
    if (END_KEYS.some((key) => keys.includes(key))) onQuit();
  };
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    stdout.off('resize', draw);
    process.off('exit', close);
    if (stdin.isTTY) {
      stdin.off('data', onKeys).setRawMode(false).pause();
    }
    stdout.write(LEAVE);
  };
  stdout.write(ENTER);
  stdout.on('resize', draw);
  process.on('exit', close);
  if (stdin.isTTY) stdin.setRawMode(true).resume().on('data', onKeys);
  return {
    show: (next: typeof frame) => {
      frame = next;
      draw();
    },
    close,
  };
}
