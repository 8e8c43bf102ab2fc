// Publishes events of several actors to EVENTS, as nodes do: a journal a node, a message a turn.
import { journalId } from '../../../actors/ids.js';
import type { EventLog } from '../../../actors/ports/events.js';
import { uniqueName } from './storage-samples.js';

interface PublishedEvent {
  readonly id: string;
  readonly actor: string;
  readonly type: string;
}

export class EventPublisher {
  readonly published: PublishedEvent[] = [];
  private readonly versions = new Map<string, number>();
  private readonly journals: { name: ReturnType<typeof journalId>; position: number; turn: number }[];

  constructor(
    private readonly events: EventLog,
    journals = 2,
  ) {
    this.journals = Array.from({ length: journals }, () => ({
      name: journalId(uniqueName('J')),
      position: 0,
      turn: 0,
    }));
  }

  /** One turn, with an event for each of these actors; an actor stays with its journal. */
  async turn(actors: readonly string[], type = 'order.shipped.v1', journalNumber = 0): Promise<void> {
    const journal = this.journals[journalNumber % this.journals.length];
    if (journal === undefined) throw new Error('there is no journal');
    const texts = actors.map((actor) => this.event(actor, type));
    const previous = journal.turn;
    journal.turn += 2; // Turns without events leave holes.
    const done = await this.events.publish(journal.name, journal.position, journal.turn, `[${texts.join(',')}]`, {
      previous,
    });
    if (done.kind !== 'appended') throw new Error(`not published but ${done.kind}`);
    journal.position = done.position;
  }

  private event(actor: string, type: string): string {
    const version = (this.versions.get(actor) ?? 0) + 1;
    this.versions.set(actor, version);
    const [kind = '', subject = ''] = actor.split('/');
    const id = `${actor}/${version}`;
    this.published.push({ id, actor, type });
    const envelope = { specversion: '1.0', id, source: '/test', type, subject, time: new Date().toISOString() };
    // An amount that a double cannot hold.
    return `${JSON.stringify(envelope).slice(0, -1)},"data":{"${kind}_id":${JSON.stringify(subject)},"total":90071992547409.93,"n":9007199254740993}}`;
  }
}
