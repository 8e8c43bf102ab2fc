/** Plants a bug from outside the product: by a wrapper around a port, or by an override of one of its methods. */
import type { Log } from '../../actors/ports/log.js';
import type { Snapshots } from '../../actors/ports/snapshots.js';
import type { Ports } from './faulty-ports.js';
import type { Plant } from './machine.js';

export interface PlantedBug extends Plant {
  readonly name: string;
  /** The law that the bug breaks, or the hazard in ARCHITECTURE.md. */
  readonly breaks: string;
  /** A seed that has found it, where the first ones do not. Tried before all others; it may stop finding it at any change. */
  readonly foundBy?: number;
}

/** Overrides a method of a class, even a private one. */
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
