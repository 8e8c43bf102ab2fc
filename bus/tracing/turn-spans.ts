/**
 * The spans of a node's turns, as its driver makes them: from the first decision until the clients were told. The append, the
 * flush and the message on EVENTS are below them (traced-ports.ts).
 */
import type { JournalId } from '../../actors/ids.js';
import type { Tracing } from '../../actors/ports/tracing.js';
import { idIn, tracesInRecord, turnSpan } from './traces-in.js';

interface Turn {
  readonly journal: JournalId;
  readonly n: number;
  readonly record: string;
}

export function tellTurn(tracing: Tracing, turn: Turn, fromMs: number, toMs: number): void {
  const { journal, n, record } = turn;
  for (const { trace, others, order } of tracesInRecord(record)) {
    tracing.tell({
      ...{ name: 'turn', kind: 'internal', parent: trace, id: idIn(turnSpan(trace, journal, n)) },
      ...{ fromMs, toMs, links: others },
      about: {
        ...{ 'holdfast.journal': journal, 'holdfast.turn': n },
        ...(order !== undefined && { 'holdfast.order_id': order }),
      },
    });
  }
}
