/**
 * A page that is a tour: `sh` blocks, and below each the output of its commands. A cut (…) in an output matches
 * any text. A page is a list of steps, and one shell runs them all. A step whose output has changed is rewritten
 * from the new output, with its cuts in the same places.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { patientMs } from '../../deadlines.js';

export interface Step {
  /** The heading above the step. */
  readonly section: string;
  readonly script: string;
  readonly printed: string;
}

const STEP = /```sh\n([^`]*?)```\n```(?:json|http|text)\n([^`]*?)```/g;
const HEADING = /^## (.+)$/gm;
const CUT = '…';

export function stepsOf(page: string): readonly Step[] {
  const headings = [...page.matchAll(HEADING)];
  return [...page.matchAll(STEP)].map(({ 1: script = '', 2: printed = '', index }) => ({
    section: headings.findLast((heading) => heading.index < index)?.[1] ?? '',
    script,
    printed,
  }));
}

/** The requests of a step, each as `GET /path`. */
export function requestsIn({ script }: Step): string[] {
  const lines = script.replace(/\\\n\s*/g, ' ').match(/curl (?:'[^']*'|"[^"]*"|[^'"\n|)])*/g) ?? [];
  return lines.flatMap((line) => {
    const path = /http:\/\/127\.0\.0\.1:300\d(\/[^\s?'"]*)/.exec(line)?.[1];
    const method = / -X (\w+)/.exec(line)?.[1] ?? (/ (-d|--data-binary) /.test(line) ? 'POST' : 'GET');
    return path === undefined ? [] : [`${method} ${path}`];
  });
}

/** Whether a step may be repeated until its output matches: it only reads, and the read model may lag. */
export const onlyLooks = (step: Step): boolean =>
  !/holdfast/.test(step.script) && requestsIn(step).every((request) => request.startsWith('GET '));

/** Whether the output matches. Times and drawn ids differ from run to run; nothing else may. */
export function isTrue(written: string, printed: string): boolean {
  const pieces = stable(written).split(CUT);
  const text = stable(printed);
  let at = 0;
  for (const [i, piece] of pieces.entries()) {
    const found = i === pieces.length - 1 && i > 0 ? text.lastIndexOf(piece) : text.indexOf(piece, at);
    if (found < at || (i === 0 && found > 0)) return false;
    at = found + piece.length;
  }
  return at === text.length;
}

/** The page with the new output of one step. */
export const rewritten = (page: string, { script, printed }: Step, now: string): string =>
  page.replace(`\`\`\`sh\n${script}\`\`\``, '\0').replace(/\0\n```(\w+)\n[^`]*```/, (_, kind: string) => {
    return `\`\`\`sh\n${script}\`\`\`\n\`\`\`${kind}\n${cutAs(printed, plain(now))}\n\`\`\``;
  });

/** A shell for all steps: variables stay from one step to the next. */
export class Terminal {
  private printed = '';
  private onNews = () => {};

  private constructor(private readonly shell: ChildProcess) {
    const onOutput = (chunk: Buffer) => {
      this.printed += chunk.toString();
      this.onNews();
    };
    shell.stdout?.on('data', onOutput);
    shell.stderr?.on('data', onOutput);
    shell.on('exit', () => this.onNews());
  }

  static open(cwd: string, env: Readonly<Record<string, string>>): Terminal {
    return new Terminal(spawn('bash', ['-s'], { cwd, env: { ...env }, stdio: 'pipe' }));
  }

  /** @returns the output of the commands. */
  async run(script: string, withinMs: number): Promise<string> {
    this.printed = '';
    const commands = script.replace(/\\\n\s*/g, ' ').trim();
    this.shell.stdin?.write(`{ ${commands.replace(LINE_END, '; echo\n')}\necho; } 2>&1 </dev/null\nprintf '\\036'\n`);
    const ended = new Promise<void>((resolve) => {
      this.onNews = () => {
        if (this.printed.includes(END) || this.shell.exitCode !== null) resolve();
      };
    });
    const late = setTimeout(() => this.close(), patientMs(withinMs));
    await ended;
    clearTimeout(late);
    if (!this.printed.includes(END)) throw new Error(`no end within ${withinMs} ms: ${script}\n${this.printed}`);
    return plain(this.printed.replace(END, ''));
  }

  close(): void {
    this.shell.kill('SIGKILL');
  }
}

// ---------------------------------------------------------------- machinery

const END = '\u001e';
/** The end of a command; a line that continues inside quotes is not one, nor one that runs in the background. */
const LINE_END = /(?<!&)\n(?=(?:[^']*'[^']*')*[^']*$)/g;

/** Drops the carriage returns of headers, and empty lines. */
const plain = (text: string): string =>
  text
    .replace(/\r/g, '')
    .split('\n')
    .filter((line) => line !== '')
    .join('\n');

const stable = (text: string): string =>
  plain(text)
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d\.\d{3})?Z/g, '<time>')
    .replace(/"correlation_id":"[^"]*"/g, '"correlation_id":"<drawn>"')
    .replace(/^(Key )?[0-9a-z]{12}(?= )/gm, '$1<drawn>');

const ANCHOR = 12;

/** Cuts the output where the old text before and after each cut matches; whole if it no longer matches. */
function cutAs(old: string, now: string): string {
  const pieces = plain(old).split(CUT);
  let [cut, at] = ['', 0];
  for (const [i, piece] of pieces.slice(0, -1).entries()) {
    const [before, behind] = [piece.slice(-ANCHOR), pieces[i + 1]?.slice(0, ANCHOR) ?? ''];
    const found = now.indexOf(before, at);
    const end = found + before.length;
    const isLast = i === pieces.length - 2;
    const next = behind === '' ? now.length : isLast ? now.lastIndexOf(behind) : now.indexOf(behind, end);
    if (found < 0 || next < end) return now;
    cut += now.slice(at, end) + CUT;
    at = next;
  }
  return cut + now.slice(at);
}
