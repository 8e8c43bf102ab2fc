/** compose.yaml as Compose reads it: anchors merged, variables of the environment replaced by their defaults. */

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface Health {
  readonly test?: readonly string[];
  readonly disable?: boolean;
  readonly interval?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly start_period?: string;
}

export interface Service {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition?: string }>>;
  readonly healthcheck?: Health;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly privileged?: boolean;
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly build?: { readonly dockerfile: string; readonly target?: string };
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly aliases?: readonly string[] }>>;
  readonly pids_limit?: number;
  readonly deploy?: { readonly resources?: { readonly limits?: Readonly<Record<string, string | number>> } };
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

export function readCompose(path = 'compose.yaml'): ComposeFile {
  const text = readFileSync(path, 'utf8').replace(/\$\{\w+:-([^}]*)\}/g, '$1');
  return parse(text, { merge: true }) as ComposeFile;
}

/** The services that `docker compose --profile ...` starts. */
export const servicesOf = ({ services }: ComposeFile, profile: string): [string, Service][] =>
  Object.entries(services).filter(([, { profiles = [] }]) => profiles.length === 0 || profiles.includes(profile));

/** The environment as a process gets it. */
export const environmentOf = ({ environment = {} }: Service): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]));
