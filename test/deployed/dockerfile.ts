/** deploy/Dockerfile as its instructions, and what one of its images runs. */

import { readFileSync } from 'node:fs';

interface Instruction {
  readonly name: string;
  readonly value: string;
}

interface Image {
  readonly instructions: readonly Instruction[];
  /** Those of the image's own stage. */
  readonly own: readonly Instruction[];
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly health: readonly string[];
}

/** @param target a stage by its name; without it the last one, as of a build without a target. */
export function readDockerfile(target?: string, path = 'deploy/Dockerfile'): Image {
  const instructions = instructionsOf(readFileSync(path, 'utf8'));
  const isStart = ({ name, value }: Instruction) =>
    name === 'FROM' && (target === undefined || value.endsWith(` AS ${target}`));
  const [first, ...rest] = instructions.slice(instructions.findLastIndex(isStart));
  const end = rest.findIndex(({ name }) => name === 'FROM');
  const own = [...(first === undefined ? [] : [first]), ...(end < 0 ? rest : rest.slice(0, end))];
  const lastOf = (name: string) => own.findLast((each) => each.name === name)?.value ?? '';
  return {
    instructions,
    own,
    environment: pairsOf(own.filter(({ name }) => name === 'ENV').map(({ value }) => value)),
    command: JSON.parse(lastOf('CMD')) as string[],
    health: JSON.parse(/CMD (\[.*\])$/.exec(lastOf('HEALTHCHECK'))?.[1] ?? '[]') as string[],
  };
}

/** `NAME=value NAME="a value"` of ENV and LABEL. */
export function pairsOf(values: readonly string[]): Record<string, string> {
  const pairs = values.flatMap((value) => [...value.matchAll(/([\w.]+)=("[^"]*"|\S+)/g)]);
  return Object.fromEntries(pairs.map(([, name = '', text = '']) => [name, text.replace(/^"|"$/g, '')]));
}

/** A line that ends with a backslash goes on in the next one. */
function instructionsOf(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => {
      const [, name = '', value = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
      return { name: name.toUpperCase(), value };
    });
}
