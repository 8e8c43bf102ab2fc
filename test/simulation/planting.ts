/** How a mistake is planted from outside: by a wrapper around a port, or by a method put over one of the product's own. */
import type { Log } from '../../actors/ports/log.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { Ports } from './faulty-ports.js';
import type { Plant } from './machine.js';

export interface PlantedBug extends Plant {
  readonly name: string;
  /** Of the sharp edges in ARCHITECTURE.md, or the law it breaks. */
  readonly breaks: string;
}

/** Puts a method over one of a class, private ones too. */
export function over<Args extends unknown[], Result>(
  owner: { readonly prototype: object },
  name: string,
  make: (original: (this: unknown, ...args: Args) => Result) => (this: unknown, ...args: Args) => Result,
): () => () => void {
  const methods = owner.prototype as Record<string, (this: unknown, ...args: Args) => Result>;
  return () => {
    const original = methods[name];
    if (original === undefined) throw new Error(`there is no method ${name} to plant a bug in`);
    methods[name] = make(original);
    return () => {
      methods[name] = original;
    };
  };
}

export const onLog = (make: (log: Log) => Partial<Log>) => (ports: Ports) => ({
  ...ports,
  log: { ...ports.log, ...make(ports.log) },
});

export const onSnapshots = (make: (snapshots: Snapshots) => Partial<Snapshots>) => (ports: Ports) => ({
  ...ports,
  snapshots: { ...ports.snapshots, ...make(ports.snapshots) },
});
