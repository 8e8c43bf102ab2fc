/**
 * How the node is, for people and for whoever routes requests to it. Every answer comes within two
 * seconds: a part that does not answer is a part that is down.
 */
import type { Registry } from 'prom-client';
import { limits } from '../../actors/limits.js';
import type { Clock } from '../../actors/ports/runtime.js';
import { NOBODY } from '../../actors/principal.js';
import type { ApiRequest } from '../api/api-request.js';
import { type Answer, errorBody } from '../api/reply.js';
import { withDeadline } from '../wire/deadline.js';

export interface HealthReport {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly version: string;
  readonly journal: { readonly kind: string; readonly guarantee: string };
  readonly dependencies: { readonly [name: string]: { readonly status: string; readonly [more: string]: unknown } };
}

interface HealthOptions {
  readonly health: () => Promise<HealthReport>;
  /** What keeps this node from serving; undefined when nothing does. A real write. */
  readonly ready: () => Promise<string | undefined>;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly version: string;
  readonly stopping: () => boolean;
}

export class Health {
  private readonly options: HealthOptions;

  constructor(options: HealthOptions) {
    this.options = options;
  }

  health = async ({ principal }: Pick<ApiRequest, 'principal'>): Promise<Answer> => {
    const { version } = this.options;
    const unknown = { kind: 'unknown', guarantee: 'unknown: the node does not answer' };
    const report = await this.inTime<HealthReport>(this.options.health, () => ({
      status: 'down',
      version,
      journal: unknown,
      dependencies: {},
    }));
    const told = principal === NOBODY ? { status: report.status } : report;
    return { status: report.status === 'down' ? 503 : 200, body: JSON.stringify(told) };
  };

  live = async (): Promise<Answer> => ({ status: 200, body: '{"status":"alive"}' });

  ready = async (): Promise<Answer> => {
    const why = this.options.stopping()
      ? 'This node is stopping.'
      : await this.inTime(this.options.ready, () => 'The node does not answer: a write did not get through in time.');
    return why === undefined
      ? { status: 200, body: '{"status":"ready"}' }
      : { status: 503, body: errorBody('not_ready', why), headers: ['Retry-After', '1'] };
  };

  metrics = async (): Promise<Answer> => {
    const { registry } = this.options;
    return { status: 200, body: await registry.metrics(), contentType: registry.contentType };
  };

  /** The answer, or what is said instead of one that is late or fails. */
  private inTime<T>(ask: () => Promise<T>, otherwise: () => T): Promise<T> {
    return withDeadline(this.options.clock, limits.readyMs, () => ask().catch(otherwise), otherwise);
  }
}
