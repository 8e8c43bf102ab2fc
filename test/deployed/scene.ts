/**
 * What an engine or a cluster starts, read from compose.yaml or from an overlay: of each container its name, its whole
 * command with the image's own part, its environment and the files that are mounted into it.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, readCompose, type Service, servicesOf } from './compose-file.js';
import { readDockerfile } from './dockerfile.js';
import { expanded, type Overlay, type SecretFiles } from './manifests.js';

export interface Part {
  /** As others reach it, and as NODE_NAME or NATS_NAME has it where it has one. */
  readonly host: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** By path in the container. */
  readonly files: Readonly<Record<string, string>>;
  /** What must have ended well before it starts. */
  readonly before?: Part;
}

export interface Scene {
  readonly nodes: readonly Part[];
  readonly brokers: readonly Part[];
  readonly postgres: Part;
  readonly redis: Part;
  /** What carries events out. */
  readonly feed: Part;
  /** What keeps the backups. */
  readonly backup: Part;
  /** What asks it each night, where something does. */
  readonly nightly?: Part;
  /** The servers have certificates. */
  readonly isSecured: boolean;
}

const images = { holdfast: readDockerfile(), 'holdfast-backup': readDockerfile('backup') };
type Ours = keyof typeof images;
/** By the name of an image, which may come from a registry. */
const imageOf = (name: string) => images[/([\w-]+):[^/]*$/.exec(name)?.[1] as Ours];
const three = [0, 1, 2];

export function composeScene(profile: 'default' | 'scale'): Scene {
  const file = readCompose();
  const all = new Map([...servicesOf(file, profile), ...servicesOf(file, 'backup')]);
  const part = (host: string): Part => {
    const service = all.get(host);
    if (service === undefined) throw new Error(`compose.yaml has no service ${host} in the profile ${profile}`);
    const image = imageOf(service.image);
    const command = service.command ?? image?.command ?? [];
    const environment = { ...image?.environment, ...environmentOf(service) };
    // The image of NATS puts its program before arguments.
    return {
      host,
      command: command[0]?.startsWith('--') ? ['nats-server', ...command] : command,
      environment,
      files: mountedIn(service),
    };
  };
  const numbered = (start: string) => [...all.keys()].filter((name) => name.startsWith(`${start}-`)).map(part);
  const [postgres, redis, backup, before] = [part('postgres'), part('redis'), part('backup'), part('migrate')];
  const nodes = profile === 'default' ? [part('holdfast')] : numbered('node');
  const feed = part(profile === 'default' ? 'feed' : 'scaled-feed');
  return {
    nodes: nodes.map((node) => ({ ...node, before })),
    brokers: profile === 'default' ? [part('nats')] : numbered('nats'),
    postgres,
    redis,
    feed,
    backup,
    isSecured: false,
  };
}

/**
 * @param secrets what the Secret has, by key.
 * @param certificates of an overlay with components/tls.
 */
export function overlayScene(
  overlay: Overlay,
  secrets: Readonly<Record<string, string>>,
  certificates?: SecretFiles,
): Scene {
  const part = (pods: string, host: string, pod = host, isBefore = false): Part => {
    const { containers, initContainers = [] } = overlay.podsOf(pods).spec;
    const [container] = isBefore ? initContainers : containers;
    if (container === undefined) throw new Error(`${pods} has no container`);
    const image = imageOf(container.image);
    const environment = { ...image?.environment, ...overlay.environmentOf(container, pod, secrets) };
    const given = [...(container.command ?? image?.command ?? []), ...(container.args ?? [])];
    const command = given.map((word) => expanded(word, environment));
    return { host, command, environment, files: overlay.filesOf(pods, container, certificates) };
  };
  const node = (pod: string): Part => ({ ...part('holdfast', pod), before: part('holdfast', pod, pod, true) });
  return {
    nodes: three.map((i) => node(`holdfast-${i}`)),
    brokers: three.map((i) => part('nats', `nats-${i}.nats`, `nats-${i}`)),
    postgres: part('postgres', 'postgres'),
    redis: part('redis', 'redis'),
    feed: part('feed', 'feed'),
    backup: part('backup', 'backup'),
    nightly: part('backup-nightly', 'backup-nightly'),
    isSecured: certificates !== undefined,
  };
}

// ---------------------------------------------------------------- machinery

function mountedIn({ volumes = [] }: Service): Record<string, string> {
  const mounts = volumes.filter((volume) => volume.startsWith('.')).map((volume) => volume.split(':'));
  return Object.fromEntries(
    mounts.flatMap(([from = '', to = '']) => {
      if (!statSync(from).isDirectory()) return [[to, readFileSync(from, 'utf8')]];
      return readdirSync(from).map((name) => [`${to}/${name}`, readFileSync(join(from, name), 'utf8')]);
    }),
  );
}
