/**
 * The gremlin over HTTP: its switch, its counts, and the faults that it injects into requests about stock.
 *
 * Law: a request gets at most one fault, and its client can always learn the outcome. A write whose answer is lost is
 * answered with the key that completes it.
 */

import { limits } from '../../actors/limits.js';
import type { GremlinDesk } from '../../actors/ports/gremlin.js';
import type { Bite, GremlinRule, GremlinStatus } from '../../actors/ports/gremlin-setting.js';
import type { StockReply, StockRequest } from '../../actors/ports/owners.js';
import type { Clock } from '../../actors/ports/runtime.js';
import type { ApiRequest, Handler } from '../api/api-request.js';
import { Failure, type FieldError, invalid, unavailable } from '../api/failure.js';
import { type Answer, success } from '../api/reply.js';
import type { GremlinBody } from '../api/schemas.js';

const EVERY = 3;
const LATE_MS = 5_000;
/** The delay of kinds other than latency. */
const MOMENT_MS = 500;

export class GremlinRoutes {
  private readonly gremlin: GremlinDesk | undefined;
  private readonly clock: Pick<Clock, 'after' | 'random'>;

  constructor(gremlin: GremlinDesk | undefined, clock: Pick<Clock, 'after' | 'random'>) {
    this.gremlin = gremlin;
    this.clock = clock;
  }

  enable = async (body: GremlinBody): Promise<Answer> => {
    const gremlin = this.allowed();
    const { rules, for_s = limits.gremlinForSDefault, seed, ...one } = body;
    const setting = { rules: rulesOf(rules, one), seed: seed ?? Math.floor(this.clock.random() * 2 ** 31) };
    return success(200, statusJson(await gremlin.enable(setting, for_s * 1_000)), 'The gremlin is on');
  };

  disable = async (): Promise<Answer> => success(200, statusJson(await this.allowed().disable()), 'The gremlin is off');

  status = async (): Promise<Answer> => {
    const off: GremlinStatus = { enabled: false, standing: undefined, asked: {}, hits: {} };
    return success(200, statusJson((await this.gremlin?.status()) ?? off));
  };

  /** The handler itself, or, for requests about stock, one into which the gremlin may inject a fault. */
  biting = (path: string, handle: Handler): Handler => {
    const gremlin = this.gremlin;
    if (gremlin === undefined || !path.startsWith('/api/inventory')) return handle;
    return async (request) => {
      const bite = await gremlin.bite('inventory');
      return bite === undefined ? handle(request) : this.bitten(bite, request, handle);
    };
  };

  // -------------------------------------------------------------- machinery

  private allowed(): GremlinDesk {
    if (this.gremlin !== undefined) return this.gremlin;
    throw new Failure(403, 'gremlin_off', 'The gremlin is not allowed here: it needs GREMLIN=on in the environment.');
  }

  private async bitten(bite: Bite, request: ApiRequest, handle: Handler): Promise<Answer> {
    switch (bite.kind) {
      case 'latency':
      case 'reorder':
        await new Promise<void>((resolve) => {
          this.clock.after(bite.delayMs, resolve);
        });
        return handle(request);
      case 'error':
        throw unavailable('The gremlin failed this request before anything was done: send it again.');
      case 'drop': {
        request.bite = bite;
        const answer = await handle(request);
        if (request.isBitten) return answer; // It says that the outcome is unknown, and names the key of the write.
        throw unavailable('The gremlin lost the answer to this request: send it again.');
      }
      default:
        request.bite = bite;
        if (bite.kind === 'duplicate' && request.req.method === 'GET') await handle(request);
        return handle(request);
    }
  }
}

/** Sends one stock write with the fault of its request: a lost answer, or a second copy. Neither copy is fresh. */
export async function stockUnder(
  request: Pick<ApiRequest, 'bite' | 'isBitten'>,
  write: StockRequest,
  send: (write: StockRequest) => Promise<StockReply>,
): Promise<StockReply> {
  const { bite } = request;
  if (bite !== undefined) request.isBitten = true;
  if (bite?.kind === 'drop') {
    await send(write);
    return { kind: 'unavailable', why: 'the gremlin lost the answer' };
  }
  if (bite?.kind !== 'duplicate') return send(write);
  const known = { ...write, fresh: false };
  const first = send(known);
  const second = send(known).catch(() => {}); // The client gets the answer of the first.
  const reply = await first;
  await second;
  return reply;
}

type RuleBody = Omit<GremlinBody, 'rules' | 'for_s' | 'seed'>;

function rulesOf(several: GremlinBody['rules'], one: RuleBody): readonly GremlinRule[] {
  const errors: FieldError[] = [];
  const wrong = (field: string, problem: string) => errors.push({ field, message: `${field} ${problem}.` });
  if (several !== undefined) {
    for (const field of Object.keys(one)) wrong(field, 'must be given inside each rule if rules is given');
  }
  const rules = (several ?? [one]).map((rule, i): GremlinRule => {
    const { target = 'inventory', kind = 'latency', every, probability, delay_ms, jitter_ms = 0 } = rule;
    const prefix = several === undefined ? '' : `rules[${i}].`;
    if (every !== undefined && probability !== undefined) {
      wrong(`${prefix}probability`, 'cannot be combined with every: give one of them');
    }
    return {
      ...{ target, kind, jitterMs: jitter_ms, delayMs: delay_ms ?? (kind === 'latency' ? LATE_MS : MOMENT_MS) },
      ...(probability === undefined ? { every: every ?? EVERY } : { probability }),
    };
  });
  if (errors.length > 0) throw invalid(errors);
  return rules;
}

function statusJson({ enabled, standing, asked, hits }: GremlinStatus): string {
  return JSON.stringify({
    enabled,
    ...(standing && {
      since: new Date(standing.since),
      until: new Date(standing.until),
      seed: standing.setting.seed,
      rules: standing.setting.rules.map(({ delayMs, jitterMs, ...rule }) => ({
        ...rule,
        delay_ms: delayMs,
        jitter_ms: jitterMs,
      })),
    }),
    asked,
    hits,
  });
}
