/**
 * The health of the node, for people and for load balancers. Every answer comes within two seconds: a dependency that
 * does not answer counts as down.
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
  /** Makes a real write. Returns why this node cannot serve, or undefined if it can. */
  readonly ready: () => Promise<string | undefined>;
  readonly registry: Registry;
  /** What a child process counts, in Prometheus' text. */
  readonly moreMetrics?: (() => string) | undefined;
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
    const report = await this.answerOr<HealthReport>(this.options.health, () => ({
      status: 'down',
      version,
      journal: unknown,
      dependencies: {},
    }));
    const shown = principal === NOBODY ? { status: report.status } : report;
    const isDown = report.status === 'down';
    const cause = isDown ? `down: ${downIn(report)}` : undefined;
    return { status: isDown ? 503 : 200, body: JSON.stringify(shown), cause, isProbe: true };
  };

  live = async (): Promise<Answer> => ({ status: 200, body: '{"status":"alive"}' });

  ready = async (): Promise<Answer> => {
    const why = this.options.stopping()
      ? 'This node is stopping.'
      : await this.answerOr(this.options.ready, () => 'The node does not answer: a write did not succeed in time.');
    return why === undefined
      ? { status: 200, body: '{"status":"ready"}' }
      : { status: 503, body: errorBody('not_ready', why), headers: ['Retry-After', '1'], cause: why, isProbe: true };
  };

  metrics = async (): Promise<Answer> => {
    const { registry, moreMetrics } = this.options;
    return {
      status: 200,
      body: (await registry.metrics()) + (moreMetrics?.() ?? ''),
      contentType: registry.contentType,
    };
  };

  /** The answer, or the substitute if it is late or fails. */
  private answerOr<T>(answer: () => Promise<T>, otherwise: () => T): Promise<T> {
    return withDeadline(this.options.clock, limits.readyMs, () => answer().catch(otherwise), otherwise);
  }
}

const downIn = ({ dependencies }: HealthReport): string =>
  Object.entries(dependencies)
    .filter(([, { status }]) => status !== 'up' && status !== 'off')
    .map(([name, { status, why }]) => `${name} ${status}${typeof why === 'string' ? ` (${why})` : ''}`)
    .join(', ') || 'the node does not answer';
