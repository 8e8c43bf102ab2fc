import { MOST_MINOR_DIGITS } from './money.js';

/**
 * Every limit on something that could grow, in one place, so that their relations can be seen and
 * are asserted at start (`assertLimits`). Units stand in the names.
 */
export const limits = {
  // The edge.
  bodyBytes: 1_048_576,
  linesPerOrder: 100,
  productsPerReceipt: 1_000,
  quantity: 1_000_000,
  stock: 1_000_000_000_000,
  priceDecimal: 1_000_000_000,
  /** Of any amount, in minor units: a sum of prices has no limit of its own but what can be counted. */
  amountMinor: Number.MAX_SAFE_INTEGER,
  idChars: 255,
  keyChars: 255,
  textChars: 2_000,
  addressJsonChars: 4_000,
  pageSize: 100,
  pageSizeDefault: 20,
  pageDepth: 1_000_000,
  /** Orders that a page number may skip: further on a cursor leads, which skips nothing. */
  skippedOrders: 10_000,
  /** Up to here a count is exact, beyond it an estimate. */
  exactCount: 10_000,
  searchChars: 200,
  connections: 4_096,
  /** Clients that wait at the edge for an owner's answer, however many products each asks about. */
  waitingClients: 10_000,
  /** Of a CSV file of stock. */
  importBytes: 33_554_432,
  importRows: 100_000,
  importRecordChars: 10_000,
  /** Failed rows that the report names. */
  importFailures: 1_000,
  /** From the first byte to the last row; what the client may take of it is requestMs. */
  importMs: 60_000,
  /** Each has up to receiveAtOnce rows under way. */
  importsAtOnce: 4,
  /** Products of one receipt that are being received at once: it must not push orders aside. */
  receiveAtOnce: 50,
  headerBytes: 16_384,
  /** Replies up to here are not compressed: they fit into a packet or two anyway. */
  plainReplyChars: 1_024,
  /** Objects and arrays in one another in a body. */
  nestingLevels: 32,
  /** Wrong fields that one answer names. */
  namedFields: 20,
  /** Idempotency keys of stock writes that a process remembers. */
  recentKeys: 10_000,
  knownCurrencies: 100_000,
  /** Credentials that a process has verified lately, good and bad ones each. */
  knownCredentials: 10_000,
  /** Credentials that are being verified at once: who guesses keys must not fill the database's queue. */
  credentialLookUps: 1_000,
  listedKeys: 10_000,

  // The node.
  /** What owners have been asked and not answered yet; one client's receipt is up to receiveAtOnce of it. */
  waitingRequests: 20_000,
  inboxCommands: 20_000,
  turnCommands: 2_000,
  /** A broker's default max_payload, less room for headers and the envelope. */
  recordBytes: 1_000_000,
  lookUpIds: 500,
  lookUpsWaiting: 20_000,
  /** Filters over the ids of stored orders, two bytes an order: past 16 million more and more are looked up instead. */
  storedOrdersBytes: 33_554_432,
  /** Ids that one statement reads for them. */
  storedOrdersPage: 2_000,
  /** Between what is appended and what is flushed: past this commands are refused until Postgres has caught up. */
  unflushedEvents: 400_000,
  unflushedBytes: 268_435_456,
  /** Of one actor, which is flushed in one statement. */
  unflushedRowsOfOne: 50_000,
  /** Orders that are not settled or not flushed. */
  ordersInMemory: 300_000,
  /** With so many of them no more may wait for stock. */
  ordersBesideWaiting: 200_000,
  unconfirmedLetters: 10_000,
  /** Requests that an order remembers the names of: shipments, returns, refunds and the like. */
  actsOfOrder: 500,
  /** Of those, kept free for what ends a whole order: shipping, delivering, cancelling all of it. */
  actsToEnd: 100,
  /** Acts under a key that had no effect, whose answers an order remembers: past it such an act gets none. */
  answeredActs: 200,
  /** Stock writes that were refused under a key, and are remembered: the latest of all products together. */
  refusedWrites: 1_000_000,
  /** Orders that wait for stock of one product. */
  waitingOrders: 10_000,
  /** Of those, how many one command gives something: more would not fit into a record. */
  fillsPerTurn: 200,
  /** Between what is appended and what EVENTS has: past this the tail is read again from the journal. */
  unpublishedBytes: 16_777_216,
  /** Asked of the payment provider at once; those that pause after no answer do not count. */
  paymentsAtOnce: 256,
  paymentAnswerBytes: 16_384,

  // The cache.
  /** One call; the rest of what a read may spend on it is the look at an open breaker. */
  cacheCallMs: 50,
  cacheReadMs: 100,
  cacheCallsAtOnce: 1_000,
  /** A connection to Redis on which nothing has come for so long is given up. */
  cacheSilenceMs: 1_000,
  cacheEntryBytes: 262_144,
  /** Of the cache in this process. */
  cacheBytes: 33_554_432,
  cacheTtlMs: 3_600_000,
  /** Orders whose entry this node can tell from another. */
  cacheStamps: 100_000,
  /** And questions about products. */
  productStamps: 10_000,
  /** Callers whose requests are counted in this process. */
  countedCallers: 100_000,

  // The flush.
  flushEveryMs: 150,
  /** A product changes again and again: its row, and with it the journal's, waits for several flushes of orders. */
  flushWholeEveryMs: 600,
  flushEvents: 30_000,
  flushOrders: 400,
  /** Rows in one statement, whatever their kind. */
  flushRows: 8_000,

  // Waits, in milliseconds.
  appendAnswerMs: 2_000,
  statementMs: 5_000,
  /** Of a list: a count that takes longer is given up for an estimate. */
  listMs: 2_000,
  readyMs: 1_500,
  /** A verified credential is taken for good this long: how late a revocation may be. */
  credentialMs: 5_000,
  /** Older, and in use, it is looked up again while it is still taken: nobody waits for that. */
  credentialRefreshMs: 2_500,
  /** A key's last use is noted at most so often. */
  keyTouchMs: 60_000,
  /** Of a token's times, for clocks that differ. */
  tokenLeewayMs: 5_000,
  issuerAnswerMs: 3_000,
  /** The issuer's keys are fetched again when they are older. */
  issuerKeysMs: 600_000,
  /** ... and at once for a key that nobody knows, but so long after the last time. */
  issuerCooldownMs: 1_000,
  /** So many tokens wait for that: others' keys are looked up meanwhile. */
  issuerWaiting: 16,
  /** After a fetch that failed. */
  issuerRetryMs: 2_000,
  stopMs: 8_000,
  /** From first to last line of a receipt; each of its products waits no longer than an order does. */
  receiptMs: 30_000,
  /** What a client may ask to wait for an outcome. */
  preferredWaitMs: 60_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 75_000,
  /** A client that takes nothing of its reply for this long is cut off; longer than anybody waits for an answer. */
  silenceMs: 90_000,
  /** Discarding what is left of a refused body ends after this long, and the connection with it. */
  drainMs: 2_000,
  /** In a stop, headers that have begun to arrive may arrive for this long. */
  stopHeadersMs: 1_000,

  // The gremlin.
  gremlinRules: 10,
  gremlinDelayMs: 20_000,
  gremlinJitterMs: 10_000,
  gremlinEvery: 1_000_000,
  gremlinForS: 3_600,
  /** When it is not said how long. */
  gremlinForSDefault: 600,
  /** Orders that it holds back after their clients have been answered. */
  gremlinLate: 20_000,

  // Retention.
  /** Published records are kept this long on a broker that may forget what it acknowledged. */
  keepPublishedMs: 3_600_000,
  /** ... but no more than this many bytes of them. */
  keepPublishedBytes: 33_554_432,
  /** What waits to be published is kept in the journal up to here; past it EVENTS has a gap, which is logged. */
  keepUnpublishedBytes: 268_435_456,
  journalBytes: 1_073_741_824,
  /** Free room below journalBytes that only seals and claims may use. */
  journalReserveBytes: 16_777_216,
  eventsBytes: 1_073_741_824,
  eventsAgeMs: 7 * 24 * 3_600_000,
} as const;

/** Throws when two limits contradict each other; the sentence names both. */
export function assertLimits(l: typeof limits = limits): void {
  const must = (holds: boolean, sentence: string) => {
    if (!holds) throw new Error(`limits.ts: ${sentence}`);
  };
  must(Number.isSafeInteger(l.amountMinor), 'amountMinor must be a whole number that is kept exactly');
  must(
    l.priceDecimal * 10 ** MOST_MINOR_DIGITS < 1e15,
    'priceDecimal must have at most 15 digits in every currency: so many of them a JSON number is sure to hold',
  );
  must(
    l.priceDecimal * 10 ** MOST_MINOR_DIGITS <= l.amountMinor,
    'priceDecimal must be at most amountMinor in every currency: one piece can always be ordered',
  );
  must(Number.isSafeInteger(l.stock + l.quantity), 'stock must be a number of pieces that is kept exactly');
  must(l.recordBytes < 1_048_576, 'recordBytes must leave room for headers below a broker payload of 1 MiB');
  must(l.ordersBesideWaiting < l.ordersInMemory, 'ordersBesideWaiting must stay below ordersInMemory');
  must(l.actsToEnd < l.actsOfOrder, 'actsToEnd must be part of actsOfOrder');
  must(l.flushEveryMs <= l.flushWholeEveryMs, 'flushEveryMs must not exceed flushWholeEveryMs');
  must(l.flushOrders <= l.flushEvents, 'flushOrders must not exceed flushEvents');
  must(l.flushEvents < l.unflushedEvents, 'flushEvents must stay below unflushedEvents');
  must(l.turnCommands <= l.inboxCommands, 'turnCommands must fit into inboxCommands');
  must(l.lookUpIds <= l.lookUpsWaiting, 'lookUpIds must fit into lookUpsWaiting');
  must(l.quantity <= l.stock, 'quantity must not exceed stock');
  must(l.pageSizeDefault <= l.pageSize, 'pageSizeDefault must not exceed pageSize');
  must(l.readyMs < 2_000, 'readyMs must let /readyz answer within two seconds');
  must(l.waitingRequests >= l.waitingClients, 'waitingRequests must not be less than waitingClients');
  must(l.credentialMs <= 5_000, 'credentialMs must keep the promise that a revocation takes effect within 5 s');
  must(l.credentialRefreshMs < l.credentialMs, 'credentialRefreshMs must be less than credentialMs');
  must(l.issuerWaiting < l.credentialLookUps, 'issuerWaiting must stay below credentialLookUps');
  must(l.issuerCooldownMs <= l.issuerRetryMs, 'issuerCooldownMs must not exceed issuerRetryMs');
  must(l.receiveAtOnce <= l.productsPerReceipt, 'receiveAtOnce must not exceed productsPerReceipt');
  must(l.headersMs <= l.requestMs, 'headersMs must not exceed requestMs');
  must(l.receiptMs < l.silenceMs, 'receiptMs must stay below silenceMs');
  must(l.preferredWaitMs < l.silenceMs, 'preferredWaitMs must stay below silenceMs');
  must(l.requestMs < l.importMs, 'requestMs must leave time of importMs to receive what has arrived');
  must(l.importMs < l.silenceMs, 'importMs must stay below silenceMs');
  must(l.keepAliveMs < l.silenceMs, 'keepAliveMs must stay below silenceMs');
  must(
    l.gremlinDelayMs + l.gremlinJitterMs < l.silenceMs,
    'gremlinDelayMs with gremlinJitterMs must stay below silenceMs',
  );
  must(l.gremlinForSDefault <= l.gremlinForS, 'gremlinForSDefault must not exceed gremlinForS');
  must(l.stopHeadersMs < l.stopMs, 'stopHeadersMs must stay below stopMs');
  must(l.journalReserveBytes < l.journalBytes, 'journalReserveBytes must be part of journalBytes');
  must(
    l.unflushedBytes + Math.max(l.keepPublishedBytes, l.keepUnpublishedBytes) + l.recordBytes <
      l.journalBytes - l.journalReserveBytes,
    'unflushedBytes with what is kept for EVENTS must fit into journalBytes less journalReserveBytes: else a full journal waits for a flush that waits for the journal',
  );
  must(2 * l.cacheCallMs <= l.cacheReadMs, 'cacheReadMs must have room for two times cacheCallMs');
  must(2 * l.cacheEntryBytes <= l.cacheBytes, 'cacheBytes must have room for two times cacheEntryBytes');
  must(l.flushEvents <= l.unflushedRowsOfOne, 'unflushedRowsOfOne must allow a whole flush');
}
