/** The driver's errors, in words that name the way out. They come nested: each attempt, and each part of an answer. */
import { Superseded } from './topics.js';

interface DriverError extends Error {
  readonly code: string;
  /** The error's name in Kafka's protocol; undefined where Kafka has not answered. */
  readonly apiId?: string;
}

/** The brokers still end the transaction before. That takes some milliseconds, and longer where they have much to do. */
const BUSY = ['CONCURRENT_TRANSACTIONS', 'COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE'];
const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'INVALID_PRODUCER_ID_MAPPING', 'INVALID_TXN_STATE'];
const DENIED = /AUTHORIZATION_FAILED$/;

const causesOf = (error: unknown): readonly DriverError[] => {
  if (error instanceof AggregateError) return error.errors.flatMap(causesOf);
  if (!(error instanceof Error)) return [];
  const inner = error.cause === undefined ? [] : causesOf(error.cause);
  return isDriverError(error) ? [...inner, error] : inner;
};

export const hasKafkaError = (error: unknown, id: string): boolean =>
  causesOf(error instanceof Error && error.cause !== undefined ? error.cause : error).some(({ apiId }) => apiId === id);

export const isBusy = (error: unknown): boolean => causesOf(error).some(({ apiId }) => BUSY.includes(String(apiId)));

/** Kafka has answered, with an error. */
export const isRefusal = (error: unknown): boolean => causesOf(error).some(({ apiId }) => apiId !== undefined);

export function explained(error: unknown, brokers: readonly string[]): Error {
  const causes = causesOf(error);
  const at = `Kafka at ${brokers.join(',')}`;
  const ids = causes.flatMap(({ apiId }) => (typeof apiId === 'string' ? [apiId] : []));
  if (ids.some((id) => FENCED.includes(id))) {
    return new Superseded('another feed of this system writes to Kafka: this one steps down', { cause: error });
  }
  const denied = ids.find((id) => DENIED.test(id));
  if (denied !== undefined) return new Error(`${at} denies what the feed must do (${denied})`, { cause: error });
  const why = ids.at(-1) ?? rootOf(error);
  if (causes.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION')) {
    return new Error(`${at} refuses the user or password of KAFKA_SASL: ${why}`, { cause: error });
  }
  return new Error(`${at} does not do what was asked: ${why}`, { cause: error });
}

const isDriverError = (error: Error): error is DriverError =>
  String((error as DriverError).code).startsWith('PLT_KFK_');

/** Where it all began, such as a certificate that is not accepted. */
function rootOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors.at(-1));
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : rootOf(error.cause);
}
