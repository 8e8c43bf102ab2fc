/** The objects of an overlay as `kubectl apply --kustomize` sends them, and what the kubelet makes of a container. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { run } from '../../deploy/servers/processes.js';
import { patientMs } from '../deadlines.js';
import { kubectl } from '../servers/fetched-tools.js';

const BUILD_MS = 20_000;
export const OVERLAYS = ['k3s-pi', 'cloud'] as const;

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string };
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly exec?: { readonly command: readonly string[] };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string };
    readonly secretRef?: { readonly name: string; readonly optional?: boolean };
  }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly exec: { readonly command: readonly string[] } } };
  readonly resources?: { readonly requests?: object; readonly limits?: object };
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** What of a ConfigMap or a Secret is mounted, under which names; without items all of it. */
interface Mounted {
  readonly name?: string;
  readonly secretName?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

interface Volume {
  readonly name: string;
  readonly configMap?: Mounted;
  readonly secret?: Mounted;
  readonly projected?: { readonly sources: readonly { readonly configMap?: Mounted; readonly secret?: Mounted }[] };
  readonly emptyDir?: { readonly sizeLimit?: string };
}

/** By name of the Secret: its files. */
export type SecretFiles = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly Volume[];
}

interface Pods {
  /** Of the Deployment, StatefulSet or CronJob. */
  readonly name: string;
  readonly replicas: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

interface Template {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

/** What is read here of the specs of all kinds. */
interface Spec {
  readonly replicas?: number;
  readonly template?: Template;
  readonly jobTemplate?: { readonly spec: { readonly template: Template } };
  readonly selector?: Readonly<Record<string, unknown>>;
  readonly ports?: readonly { readonly targetPort: string }[];
  readonly maxUnavailable?: number;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly metrics?: readonly { readonly pods?: { readonly metric: { readonly name: string } } }[];
  readonly ingressClassName?: string;
  readonly tls?: readonly { readonly hosts: readonly string[] }[];
  readonly rules?: readonly {
    readonly host: string;
    readonly http: { readonly paths: readonly { readonly path: string }[] };
  }[];
  readonly policyTypes?: readonly string[];
  readonly podSelector?: Selector;
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}

export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values: readonly string[];
  }[];
}

export interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly to?: readonly PolicyPeer[];
  readonly ports?: readonly { readonly port: number; readonly protocol?: string }[];
}

export interface PolicyPeer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: Spec;
}

export class Overlay {
  private constructor(readonly manifests: readonly Manifest[]) {}

  /** @param isSecured with the component that the overlay names and leaves out. */
  static async build(name: string, isSecured = false): Promise<Overlay | { readonly missing: string }> {
    const command = await kubectl();
    if (typeof command !== 'string') return command;
    const copy = mkdtempSync(join(tmpdir(), 'holdfast-overlay-'));
    try {
      for (const part of ['kubernetes', 'security'])
        cpSync(join('deploy', part), join(copy, part), { recursive: true });
      const folder = join(copy, 'kubernetes', 'overlays', name);
      if (isSecured) takeIn(join(folder, 'kustomization.yaml'));
      const built = await run(command, ['kustomize', folder], { deadlineMs: patientMs(BUILD_MS) });
      if (built.code !== 0) throw new Error(`the overlay ${name} cannot be built: ${built.output}`);
      return new Overlay(parseAllDocuments(built.output).map((document) => document.toJS() as Manifest));
    } finally {
      rmSync(copy, { recursive: true });
    }
  }

  of(kind: string, name?: string): Manifest {
    const found = this.manifests.find(
      (each) => each.kind === kind && (name === undefined || each.metadata.name === name),
    );
    if (found === undefined) throw new Error(`there is no ${kind} ${name ?? ''}`);
    return found;
  }

  /** The contents of a generated ConfigMap, whose name ends in a hash. */
  configMap(name: string): Readonly<Record<string, string>> {
    const isIt = ({ kind, metadata }: Manifest) =>
      kind === 'ConfigMap' && (metadata.name === name || metadata.name.replace(/-[a-z0-9]+$/, '') === name);
    return this.manifests.find(isIt)?.data ?? {};
  }

  get pods(): readonly Pods[] {
    return this.manifests.flatMap(({ metadata: { name }, spec = {} }) => {
      const template = spec.template ?? spec.jobTemplate?.spec.template;
      if (template === undefined) return [];
      return [{ name, replicas: spec.replicas ?? 1, labels: template.metadata.labels, spec: template.spec }];
    });
  }

  /** What a container finds mounted, by its path there. */
  filesOf(pods: string, { volumeMounts = [] }: Container, secrets: SecretFiles = {}): Record<string, string> {
    const files: Record<string, string> = {};
    for (const { name, configMap, secret, projected } of this.podsOf(pods).spec.volumes ?? []) {
      const mount = volumeMounts.find((each) => each.name === name);
      for (const source of projected?.sources ?? [{ configMap, secret }]) {
        const { name: of = '', secretName = of, items } = source.configMap ?? source.secret ?? {};
        const data = source.configMap === undefined ? (secrets[secretName] ?? {}) : this.configMap(of);
        for (const { key, path } of items ?? Object.keys(data).map((key) => ({ key, path: key })))
          if (mount !== undefined) files[`${mount.mountPath}/${path}`] = data[key] ?? '';
      }
    }
    return files;
  }

  podsOf(name: string): Pods {
    const found = this.pods.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no pods are called ${name}`);
    return found;
  }

  /** The environment of a container in a pod of this name, as the kubelet makes it. */
  environmentOf(container: Container, pod: string, secrets: Readonly<Record<string, string>>): Record<string, string> {
    const env: Record<string, string> = {};
    // A Secret that is optional is not there.
    for (const { configMapRef } of container.envFrom ?? [])
      if (configMapRef !== undefined) Object.assign(env, this.configMap(configMapRef.name));
    for (const { name, value, valueFrom } of container.env ?? []) {
      const key = valueFrom?.secretKeyRef?.key;
      const read = key === undefined ? value : secrets[key];
      env[name] = expanded(valueFrom?.fieldRef?.fieldPath === 'metadata.name' ? pod : (read ?? ''), env);
    }
    return env;
  }
}

/** Takes the `#` away, as an operator does. */
function takeIn(file: string): void {
  const text = readFileSync(file, 'utf8');
  if (!text.includes('\n# components:')) throw new Error(`${file} names no component`);
  writeFileSync(file, text.replace('\n# components:', '\ncomponents:'));
}

/** `$(NAME)` of a variable that is known is replaced; another one stays as it is. */
export const expanded = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replace(/\$\(([A-Za-z_]\w*)\)/g, (whole, name: string) => env[name] ?? whole);

export const exampleSecret = (): Manifest =>
  parse(readFileSync('deploy/kubernetes/base/secret.yaml', 'utf8')) as Manifest;

/** One for each name in the example. */
export const sampleSecrets: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(exampleSecret().stringData ?? {}).map((key, i) => [key, `${i}a9f3c07e5b1d48263f0e7c9`.repeat(2)]),
);
