/** The limits agree with one another, and a contradiction is named. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { assertLimits, limits } from '../../../actors/limits.js';

const test = suite('limits');
type Limits = { [K in keyof typeof limits]: number };
const planted = (over: Partial<Limits>) => () => assertLimits({ ...limits, ...over } as unknown as typeof limits);

test('the limits agree', () => {
  assert.not.throws(() => assertLimits());
});

test('every limit is a positive whole number', () => {
  for (const [name, limit] of Object.entries(limits)) assert.ok(Number.isSafeInteger(limit) && limit > 0, name);
});

const contradictions: readonly [Partial<Limits>, ...(keyof Limits)[]][] = [
  [{ recordBytes: 1_048_576 }, 'recordBytes'],
  [{ priceDecimal: 1e12 }, 'priceDecimal'],
  [{ amountMinor: 1e12 }, 'priceDecimal', 'amountMinor'],
  [{ amountMinor: 2 ** 53 }, 'amountMinor'],
  [{ stock: Number.MAX_SAFE_INTEGER }, 'stock'],
  [{ flushOrders: limits.flushEvents + 1 }, 'flushOrders', 'flushEvents'],
  [{ flushEvents: limits.unflushedEvents }, 'flushEvents', 'unflushedEvents'],
  [{ turnCommands: limits.inboxCommands + 1 }, 'turnCommands', 'inboxCommands'],
  [{ lookUpIds: limits.lookUpsWaiting + 1 }, 'lookUpIds', 'lookUpsWaiting'],
  [{ quantity: limits.stock + 1 }, 'quantity', 'stock'],
  [{ pageSizeDefault: limits.pageSize + 1 }, 'pageSizeDefault', 'pageSize'],
  [{ readyMs: 2_000 }, 'readyMs'],
  [{ journalReserveBytes: limits.journalBytes }, 'journalReserveBytes', 'journalBytes'],
  [{ keepPublishedBytes: limits.journalBytes }, 'unflushedBytes', 'journalBytes'],
  [{ unflushedBytes: limits.journalBytes }, 'unflushedBytes', 'journalBytes'],
  [{ unflushedRowsOfOne: limits.flushEvents - 1 }, 'unflushedRowsOfOne'],
  [{ placementStepMs: limits.heartbeatMs + 1 }, 'placementStepMs', 'heartbeatMs'],
  [{ placementCallMs: limits.judgeLateMs }, 'placementCallMs', 'judgeLateMs'],
  [{ silentMs: limits.heartbeatMs + limits.judgeLateMs }, 'silentMs', 'heartbeatMs', 'judgeLateMs'],
  [{ releaseWaitMs: limits.giveAgainMs }, 'releaseWaitMs', 'giveAgainMs'],
];

for (const [over, ...named] of contradictions) {
  test(`planted: ${JSON.stringify(over)} is refused, naming ${named.join(' and ')}`, () => {
    for (const name of named) assert.throws(planted(over), new RegExp(`limits\\.ts: .*\\b${name}\\b`));
  });
}

test('the largest order that the edge takes fits into a record, with its events and letters', () => {
  const line = limits.idChars * 3 * 2 + 400; // UTF-8 of an id, twice, plus the rest of the line
  const texts = 3 * (2 * limits.addressJsonChars + 4 * limits.textChars + 2 * limits.idChars);
  assert.ok(4 * limits.linesPerOrder * line + texts < limits.recordBytes);
});

test.run();
