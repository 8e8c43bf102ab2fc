/** The driver's errors, in words that name the way out. They come nested: each attempt, and each part of an answer. */
import { type KafkaAccess, whyRefused } from './kafka-access.js';
import { Superseded } from './topics.js';

export interface KnownOfKafka {
  readonly hasAnswered: boolean;
  /** Why a connection has ended since then. The driver tells those who wait for an answer only that it has. */
  readonly broken: unknown;
}

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

/** @param known what this process has seen of these brokers so far */
export function explained(error: unknown, access: KafkaAccess, known: KnownOfKafka): Error {
  const causes = causesOf(error);
  const at = `Kafka at ${access.brokers.join(',')}`;
  const ids = causes.flatMap(({ apiId }) => (typeof apiId === 'string' ? [apiId] : []));
  if (ids.some((id) => FENCED.includes(id))) {
    return new Superseded('another feed of this system writes to Kafka: this one steps down', { cause: error });
  }
  const denied = ids.find((id) => DENIED.test(id));
  if (denied !== undefined) return new Error(`${at} denies what the feed must do (${denied})`, { cause: error });
  const id = ids.at(-1);
  const root = id === undefined ? (known.broken ?? rootOf(error)) : undefined;
  const ofUser = causes.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION');
  const why =
    whyRefused({ id, root, ofUser, isKnown: known.hasAnswered }, access) ??
    `does not do what was asked: ${id ?? (root instanceof Error ? root.message : String(root))}`;
  return new Error(`${at} ${why}`, { cause: error });
}

const isDriverError = (error: Error): error is DriverError =>
  String((error as DriverError).code).startsWith('PLT_KFK_');

function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors.at(-1));
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
