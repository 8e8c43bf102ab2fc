// Traces: where they go, and how many. The names and meanings are OpenTelemetry's own. Its SDK reads most of these variables
// itself, and takes a default where it does not understand one: so they are judged here. What else it knows is its own affair.

import type { Sampling } from '../../bus/tracing/open-telemetry.js';
import { type Mistake, matching, oneOf, optional, optionalText, type Values, variable } from './kinds.js';

const SAMPLERS = [
  ...['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'],
  ...['always_on', 'always_off', 'traceidratio'],
] as const;

const endpoint = optional('http(s)://host[:port][/path]', matching(/^https?:\/\/[^\s@]+$/));
const protocol = variable('http/protobuf', 'http/protobuf: no other is spoken', matching(/^http\/protobuf$/));
const ratio = optional('a number from 0 to 1', (text) => {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= 0 && value <= 1 ? value : undefined;
});
const pairs = optional('name=value, with commas between', matching(/^[^=,]+=[^,]*(?:,[^=,]+=[^,]*)*$/));

export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol,
  OTEL_EXPORTER_OTLP_HEADERS: pairs,
  OTEL_TRACES_EXPORTER: oneOf(['otlp', 'none'], 'otlp'),
  OTEL_TRACES_SAMPLER: oneOf(SAMPLERS, 'parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: ratio,
  OTEL_SERVICE_NAME: optionalText,
  OTEL_RESOURCE_ATTRIBUTES: pairs,
  OTEL_SDK_DISABLED: oneOf(['true', 'false'], 'false'),
};

type Env = Values<typeof tracingVariables>;

export function tracingMistakes(env: Env): readonly Mistake[] {
  const isRatio = env.OTEL_TRACES_SAMPLER.endsWith('traceidratio');
  if (isRatio === (env.OTEL_TRACES_SAMPLER_ARG !== undefined)) return [];
  return isRatio
    ? [
        {
          name: 'OTEL_TRACES_SAMPLER_ARG',
          allowed: 'set, as OTEL_TRACES_SAMPLER has a ratio: 0.01 for one request in a hundred',
        },
      ]
    : [{ name: 'OTEL_TRACES_SAMPLER', allowed: 'parentbased_traceidratio, as OTEL_TRACES_SAMPLER_ARG is set' }];
}

export const tracingSettings = (env: Env) => ({
  /** Undefined: nothing is traced. */
  traces: isOn(env) ? samplingOf(env) : undefined,
});

// ---------------------------------------------------------------- machinery

const isOn = (env: Env): boolean =>
  (env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined &&
  env.OTEL_TRACES_EXPORTER === 'otlp' &&
  env.OTEL_SDK_DISABLED === 'false';

function samplingOf({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio = 1 }: Env): Sampling {
  const isParentBased = sampler.startsWith(PARENT_BASED);
  return { root: sampler.replace(PARENT_BASED, '') as Sampling['root'], isParentBased, ratio };
}

const PARENT_BASED = 'parentbased_';
