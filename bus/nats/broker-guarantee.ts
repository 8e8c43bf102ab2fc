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
          guarantee: `JetStream, ${whose}, ${replicas} replicas: ${minority}; the broker asked syncs every record to disk, and where the others do so too it survives a common power cut`,
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

/** @param broker undefined without a NATS with JetStream. @throws when the journal in `asked` is not possible */
export function chooseJournal(
  asked: 'auto' | 'jetstream' | 'postgres',
  broker: BrokerFacts | undefined,
): JournalChoice {
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
  if (asked === 'jetstream') {
    refuseUnsoundReplicas(broker.version, broker.replicas);
    return { kind: 'jetstream', guarantee, why: 'JOURNAL=jetstream' };
  }
  if (!soundReplicas(broker.version, broker.replicas)) {
    return { kind: 'postgres', guarantee: POSTGRES, why: unsound(broker.version, broker.replicas) };
  }
  return journalFit
    ? { kind: 'jetstream', guarantee, why: broker.replicas >= 3 ? 'the broker replicates' : 'the broker syncs' }
    : { kind: 'postgres', guarantee: POSTGRES, why: `the broker is not fit for the journal: ${guarantee}` };
}

/** @throws before a replicated stream is used on a broker whose compare-and-set lets two writers win. */
export function refuseUnsoundReplicas(version: string, replicas: number): void {
  if (!soundReplicas(version, replicas)) throw new Error(`${unsound(version, replicas)}.`);
}

// ---------------------------------------------------------------- machinery

const SOUND_SINCE = [2, 10, 19] as const;

function soundReplicas(version: string, replicas: number): boolean {
  if (replicas <= 1) return true;
  const parts = version.split(/[.-]/).map(Number);
  for (const [i, since] of SOUND_SINCE.entries()) {
    const part = parts[i] ?? 0;
    if (Number.isNaN(part) || part < since) return false;
    if (part > since) return true;
  }
  return true;
}

const unsound = (version: string, replicas: number): string =>
  `nats-server ${version} does not keep two writers apart on a stream of ${replicas} replicas, ` +
  `which works from ${SOUND_SINCE.join('.')}: update it, or set NATS_REPLICAS=1`;
