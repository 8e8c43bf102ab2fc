/**
 * Says what a broker's acknowledgement guarantees, and chooses the journal by it.
 *
 * Law: the text promises no more than what was observed, and an unknown fact counts as "no". A broker is fit for the
 * journal when an acknowledged message survives the power cut of one box. It does if the broker syncs first, or if a
 * majority of the boxes has it.
 */
interface BrokerFacts {
  readonly version: string;
  /** From the broker's monitoring, or from how we started it; undefined if unknown. */
  readonly syncAlways: boolean | undefined;
  /** The replicas of the journal's stream, or the configured number if the stream does not exist yet. */
  readonly replicas: number;
  /** The broker is a child process that we started. */
  readonly ours: boolean;
}

export interface JournalChoice {
  readonly kind: 'jetstream' | 'postgres';
  readonly guarantee: string;
  readonly why: string;
}

export function brokerGuarantee({ version, syncAlways, replicas, ours }: BrokerFacts): {
  journalFit: boolean;
  guarantee: string;
} {
  const whose = `${ours ? 'our own ' : ''}nats-server ${version}`;
  if (replicas >= 3) {
    const minority = `survives the loss of ${Math.floor((replicas - 1) / 2)} of ${replicas} boxes`;
    return syncAlways === true
      ? {
          journalFit: true,
          guarantee: `JetStream, ${whose}, ${replicas} replicas: ${minority}; every broker asked syncs each record to disk first, and if all do, it survives a common power cut`,
        }
      : {
          journalFit: true,
          guarantee: `JetStream, ${whose}, ${replicas} replicas: ${minority}, not a common power cut`,
        };
  }
  if (syncAlways === true) {
    return {
      journalFit: true,
      guarantee: `JetStream, ${whose}, every record synced to disk: survives kill -9 and a power cut of its box, not the loss of its disk`,
    };
  }
  const unsynced = syncAlways === false ? 'does not sync' : 'may not sync (its monitoring could not be read)';
  return {
    journalFit: false,
    guarantee: `JetStream, ${whose}, which ${unsynced} what it acknowledges: survives kill -9, not a power cut`,
  };
}

const POSTGRES =
  'Postgres, as its own fsync and synchronous_commit settings have it: survives kill -9 and a power cut of its box, not the loss of its disk';

/**
 * @param broker undefined without a NATS with JetStream.
 * @throws when the journal in `asked` is not possible, or the broker is not sound with so many replicas
 */
export function chooseJournal(
  asked: 'auto' | 'jetstream' | 'postgres',
  broker: BrokerFacts | undefined,
): JournalChoice {
  if (broker !== undefined) refuseUnsoundReplicas(broker.version, broker.replicas);
  if (asked === 'postgres') return { kind: 'postgres', guarantee: POSTGRES, why: 'JOURNAL=postgres' };
  if (broker === undefined) {
    if (asked === 'auto') {
      return { kind: 'postgres', guarantee: POSTGRES, why: 'there is no NATS with JetStream' };
    }
    throw new Error(
      'JOURNAL=jetstream needs a NATS with JetStream, and there is none: set NATS_URL, or JOURNAL=postgres.',
    );
  }
  const { journalFit, guarantee } = brokerGuarantee(broker);
  if (asked === 'jetstream') return { kind: 'jetstream', guarantee, why: 'JOURNAL=jetstream' };
  return journalFit
    ? { kind: 'jetstream', guarantee, why: broker.replicas >= 3 ? 'the broker replicates' : 'the broker syncs' }
    : { kind: 'postgres', guarantee: POSTGRES, why: `the broker is not fit for the journal: ${guarantee}` };
}

/** @throws before a replicated stream is used on a broker whose compare-and-set lets two writers win. */
export function refuseUnsoundReplicas(version: string, replicas: number): void {
  if (replicas <= 1 || !isOlder(version, SOUND_SINCE)) return;
  throw new Error(
    `nats-server ${version} does not keep two writers apart on a stream of ${replicas} replicas, which works from ` +
      `${SOUND_SINCE} on: update every broker. A new system may set NATS_REPLICAS=1 instead.`,
  );
}

/** @returns the oldest of these versions. */
export const oldest = (versions: readonly [string, ...string[]]): string =>
  versions.reduce((a, b) => (isOlder(b, a) ? b : a));

// ---------------------------------------------------------------- machinery

const SOUND_SINCE = '2.10.19';

/** What is no number counts as 0. */
const numbersOf = (version: string): number[] => version.split(/[.-]/, 3).map((part) => Number.parseInt(part, 10) || 0);

function isOlder(a: string, b: string): boolean {
  const [ours, theirs] = [numbersOf(a), numbersOf(b)];
  const at = [0, 1, 2].find((each) => ours[each] !== theirs[each]);
  return at !== undefined && (ours[at] ?? 0) < (theirs[at] ?? 0);
}
