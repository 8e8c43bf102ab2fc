/**
 * EVENTS as anyone reads it: each actor's events are there once and in their order, dense by version, whichever journals
 * they come from. Retention takes the oldest messages, so an actor is judged from its first event that is still there.
 */
import type { Entry, Position } from '../../actors/ports/log.js';
import { CouldNotLook, type Findings } from './verdict.js';

/** The next messages of EVENTS after a position, each a batch of CloudEvents; empty at the end. */
export type EventPages = (after: Position) => Promise<readonly Entry[]>;

const REPORT_EVERY = 100_000;

/** @returns how many events there are. */
export async function judgeEvents(
  pages: EventPages,
  findings: Findings,
  report: (line: string) => void,
): Promise<number> {
  const versions = new Map<string, number>();
  let count = 0;
  let position: Position = 0;
  for (;;) {
    const page = await pages(position);
    if (page.length === 0) return count;
    for (const { position: at, record } of page) {
      // The stream is dense. A gap is what its retention has taken while it was read.
      if (at !== position + 1) versions.clear();
      position = at;
      for (const id of idsOf(record, at)) {
        judgeNext(id, versions, findings);
        if (++count % REPORT_EVERY === 0) report(`${count} public events compared`);
      }
    }
  }
}

function judgeNext(id: string, versions: Map<string, number>, findings: Findings): void {
  const actor = id.slice(0, id.lastIndexOf('/'));
  const version = Number(id.slice(actor.length + 1));
  const before = versions.get(actor);
  versions.set(actor, Math.max(version, before ?? 0));
  if (before === undefined || version === before + 1) return;
  const thing = actor.replace('/', ' ');
  if (version <= before) findings.add('once', thing, `its event ${version} is on EVENTS again after event ${before}`);
  else
    findings.add('durable', thing, `its event ${version} is on EVENTS after event ${before}, expected ${before + 1}`);
}

function idsOf(batch: string, at: Position): string[] {
  try {
    return (JSON.parse(batch) as { readonly id: string }[]).map(({ id }) => id);
  } catch (error) {
    throw new CouldNotLook(`the message ${at} of EVENTS is no batch of events: ${String(error)}`);
  }
}
