/**
 * What an engine or a cluster starts, read from compose.yaml or from an overlay: of each container its name, its whole
 * command with the image's own part, its environment and the files that are mounted into it.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, readCompose, type Service, servicesOf } from './compose-file.js';
import { readDockerfile } from './dockerfile.js';
import { type Container, expanded, type Overlay } from './manifests.js';

export interface Part {
  /** As others reach it, and as NODE_NAME or NATS_NAME has it where it has one. */
  readonly host: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** By path in the container. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Scene {
  readonly nodes: readonly Part[];
  readonly brokers: readonly Part[];
  readonly postgres: Part;
  readonly redis: Part;
  /** What dumps the database. */
  readonly backup: Part;
}

const image = readDockerfile();
const three = [0, 1, 2];

export function composeScene(profile: 'default' | 'scale'): Scene {
  const file = readCompose();
  const all = new Map([...servicesOf(file, profile), ...servicesOf(file, 'backup')]);
  const part = (host: string): Part => {
    const service = all.get(host);
    if (service === undefined) throw new Error(`compose.yaml has no service ${host} in the profile ${profile}`);
    const isOurs = service.build !== undefined;
    const command = service.command ?? (isOurs ? image.command : []);
    const environment = { ...(isOurs && image.environment), ...environmentOf(service) };
    // The image of NATS puts its program before arguments.
    return {
      host,
      command: command[0]?.startsWith('--') ? ['nats-server', ...command] : command,
      environment,
      files: mountedIn(service),
    };
  };
  const numbered = (start: string) => [...all.keys()].filter((name) => name.startsWith(`${start}-`)).map(part);
  const [postgres, redis, backup] = [part('postgres'), part('redis'), part('backup')];
  return {
    nodes: profile === 'default' ? [part('holdfast')] : numbered('node'),
    brokers: profile === 'default' ? [part('nats')] : numbered('nats'),
    postgres,
    redis,
    backup,
  };
}

/** @param secrets what the Secret has, by key. */
export function overlayScene(overlay: Overlay, secrets: Readonly<Record<string, string>>): Scene {
  const part = (pods: string, host: string, pod = host): Part => {
    const [container] = overlay.podsOf(pods).spec.containers;
    if (container === undefined) throw new Error(`${pods} has no container`);
    const isOurs = pods === 'holdfast';
    const environment = {
      ...(isOurs && image.environment),
      ...overlay.environmentOf(container, pod, secrets),
    };
    const given = [...(container.command ?? (isOurs ? image.command : [])), ...(container.args ?? [])];
    const command = given.map((word) => expanded(word, environment));
    return { host, command, environment, files: configOf(overlay, pods, container) };
  };
  return {
    nodes: three.map((i) => part('holdfast', `holdfast-${i}`)),
    brokers: three.map((i) => part('nats', `nats-${i}.nats`, `nats-${i}`)),
    postgres: part('postgres', 'postgres'),
    redis: part('redis', 'redis'),
    backup: part('backup', 'backup'),
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

function configOf(overlay: Overlay, pods: string, { volumeMounts = [] }: Container): Record<string, string> {
  const files: Record<string, string> = {};
  for (const volume of overlay.podsOf(pods).spec.volumes ?? []) {
    const { name, configMap } = volume as { name: string; configMap?: { name: string } };
    const mount = volumeMounts.find((each) => each.name === name);
    if (configMap === undefined || mount === undefined) continue;
    const data = Object.entries(overlay.configMap(configMap.name));
    for (const [file, text] of data) files[`${mount.mountPath}/${file}`] = text;
  }
  return files;
}
