import { MOST_MINOR_DIGITS } from './money.js';

/**
 * Every limit on something that could grow, in one place. So the relations between limits are visible, and a start
 * asserts them (`assertLimits`). The names carry the units.
 */
export const limits = {
  // The edge.
  bodyBytes: 1_048_576,
  linesPerOrder: 100,
  productsPerReceipt: 1_000,
  quantity: 1_000_000,
  stock: 1_000_000_000_000,
  priceDecimal: 1_000_000_000,
  /** The largest amount, in minor units. A sum of prices has no other limit than exact counting. */
  amountMinor: Number.MAX_SAFE_INTEGER,
  idChars: 255,
  keyChars: 255,
  textChars: 2_000,
  addressJsonChars: 4_000,
  pageSize: 100,
  pageSizeDefault: 20,
  pageDepth: 1_000_000,
  /** Orders that a page number may skip. Beyond it a client uses a cursor, which skips nothing. */
  skippedOrders: 10_000,
  /** A count is exact up to here, and an estimate beyond. */
  exactCount: 10_000,
  /** The latest orders of a product in which others are counted. */
  alsoBoughtOrders: 1_000,
  statsRows: 1_000,
  statsRowsDefault: 100,
  /** Exports that a node makes at once, and the orders that one has in memory. */
  exports: 4,
  exportPage: 250,
  /** A client that takes nothing of an export for so long loses its connection. */
  exportStallMs: 30_000,
  searchChars: 200,
  connections: 8_192,
  /** Clients that wait at the edge for an owner's answer, each counted once, whatever its number of products. */
  waitingClients: 10_000,
  /** Clients that listen to events at one edge. */
  listeners: 5_000,
  /** The latest events, as all listeners share them. A listener that falls behind them is ended. */
  liveRingBytes: 16_777_216,
  /** Listeners that are told the past at once. The others wait for a slot. */
  liveBacklogs: 8,
  /** One of them that takes nothing for so long is ended, for others wait. */
  liveStallMs: 10_000,
  /** The past that one of them is told at a time, matching or not, and the time for it. Then it comes again and goes on. */
  liveBacklogBytes: 67_108_864,
  liveBacklogMs: 20_000,
  /** EVENTS is parsed for so long before other work has its turn. */
  liveParseMs: 5,
  /** EVENTS must tell its end within this time when the first listener comes. */
  liveBeginMs: 5_000,
  /** EVENTS is read for so long after the last listener left. */
  liveRestMs: 60_000,
  /** A listener is told at least so often that it still listens. */
  liveBeatMs: 15_000,
  /** Size of a CSV file of stock. */
  importBytes: 33_554_432,
  importRows: 100_000,
  importRecordChars: 10_000,
  /** Orders of another system that wait on disk to be imported. */
  spooledOrders: 100_000,
  /** Those that are in memory: they are being written, or the disk does not take them. */
  importMemoryBytes: 16_777_216,
  /** How long one import may take; then it waits and is tried again. */
  importWaitMs: 5_000,
  /** Failed rows that the report of an import names. */
  importFailures: 1_000,
  /** From the first byte to the last row. The client may use requestMs of this to send the file. */
  importMs: 60_000,
  /** Each import has up to receiveAtOnce rows under way. */
  importsAtOnce: 4,
  /** Reads over NATS under way at once, in one process. */
  natsReads: 200,
  /** Products of one receipt under way at once: a receipt must not crowd out orders. */
  receiveAtOnce: 50,
  headerBytes: 16_384,
  /** Replies up to this size are not compressed: they fit into one or two packets anyway. */
  plainReplyChars: 1_024,
  /** Depth of nested objects and arrays in a body. */
  nestingLevels: 32,
  /** Invalid fields that one reply names. */
  namedFields: 20,
  knownCurrencies: 100_000,
  /** Recently verified credentials that a process remembers; good and bad ones are counted apart. */
  knownCredentials: 10_000,
  /** Credentials under verification at once: a client that guesses keys must not fill the database's queue. */
  credentialLookUps: 1_000,
  listedKeys: 10_000,

  // The node.
  partitions: 1_024,
  /** Requests to owners without an answer. One client's receipt makes up to receiveAtOnce of them. */
  waitingRequests: 20_000,
  inboxCommands: 20_000,
  turnCommands: 2_000,
  /** A broker's default max_payload, less room for headers and the envelope. */
  recordBytes: 1_000_000,
  lookUpIds: 500,
  lookUpsWaiting: 20_000,
  /**
   * Filters over the ids of stored orders, two bytes per order. Beyond 16 million orders, more and more ids are looked
   * up.
   */
  storedOrdersBytes: 33_554_432,
  /** Ids that one statement reads for the filters. */
  storedOrdersPage: 2_000,
  /** Commands that wait for orders of archives, and how many orders a process reads from archives at once. */
  archiveReadsWaiting: 1_000,
  archiveReadsAtOnce: 8,
  /** Reads of folders under way in a process: one that hangs holds a thread of the pool, which has four. */
  archiveFolderReads: 2,
  /** How long a read of an archive may take. */
  archiveReadMs: 2_000,
  /** How often a node looks whether orders were archived. */
  archiveLookMs: 2_000,
  /** Orders that are compressed together: a read of one decompresses all of them. */
  archiveBlockOrders: 64,
  /** Blocks of archives that a process keeps: the history follows the order. */
  archiveBlocksKept: 32,
  /** Orders of one archive: its ids are noted in one transaction. */
  archiveOrders: 50_000,
  /** Events that are appended and not flushed. Beyond it commands are refused until Postgres has caught up. */
  unflushedEvents: 400_000,
  unflushedBytes: 268_435_456,
  /** Rows of one actor, which are flushed in one statement. */
  unflushedRowsOfOne: 50_000,
  /** Orders in memory: those that are not settled or not flushed. */
  ordersInMemory: 300_000,
  /** With this many orders in memory, no further order may wait for stock. */
  ordersBesideWaiting: 200_000,
  /** Letters of one channel without a confirmation. Beyond it commands that would add to them are refused. */
  channelLetters: 2_000,
  /** Letters of one channel that are sent before the first of them is confirmed. */
  letterWindow: 500,
  /** Commands that wait for a frozen partition. */
  parkedCommands: 10_000,
  /** Acts whose keys an order remembers: shipments, returns, refunds and the like. */
  actsOfOrder: 500,
  /**
   * Reserved for acts that end a whole order (shipping, delivering or cancelling it): a part of actsOfOrder, and as many
   * answers beside answeredActs.
   */
  actsToEnd: 100,
  /** Acts without effect whose answers an order remembers. Beyond it an order takes no further act with a key. */
  answeredActs: 200,
  /** Refused stock writes that are remembered: the latest ones of all products together. */
  refusedWrites: 1_000_000,
  /** Orders that wait for stock of one product. */
  waitingOrders: 10_000,
  /** Waiting orders to which one command gives stock: more would not fit into a record. */
  fillsPerTurn: 200,
  /** Batches kept in memory for EVENTS. Beyond it the publisher reads the tail from the journal again. */
  unpublishedBytes: 16_777_216,
  /** Requests to the payment provider at once. Those that pause before a retry do not count. */
  paymentsAtOnce: 256,
  paymentAnswerBytes: 16_384,

  // Between nodes.
  /** Requests to one other node without an answer. */
  peerAsks: 5_000,
  /** The size of these requests. */
  peerAskBytes: 8_388_608,
  /** Requests that wait until their partition has an owner. */
  parkedAsks: 5_000,
  /** A request to another node is repeated after this time without an answer or a sign of life. */
  peerSilenceMs: 500,
  /** A node that works on a request of another node says so, this often. */
  peerSignMs: 200,
  /** Time for the answer of an owner whose client's patience has just ended. */
  peerGraceMs: 500,
  /** Edges whose newly drawn ids an incarnation can tell from repeats. It looks the ids of further edges up. */
  peerEdges: 1_000,
  /** Parts of long messages that wait for the other parts. */
  peerPartBytes: 33_554_432,
  /** Bytes that wait for the broker's socket. Beyond it messages between nodes are dropped. */
  unsentBytes: 33_554_432,

  // Membership and placement.
  /** Nodes whose heartbeats are read. */
  members: 100,
  heartbeatMs: 500,
  placementStepMs: 250,
  /** A call to the bucket or to a store. */
  placementCallMs: 1_000,
  /** A node whose heartbeat and journals stand still for this long may be judged dead. */
  silentMs: 2_500,
  /** A judge whose steps are further apart was late, and has watched nobody. */
  judgeLateMs: 1_250,
  /** A member that sees other members for this long has no share of the partitions. */
  disagreeMs: 5_000,
  /** Moves of a node as giver, and as receiver. */
  movesAtOnce: 2,
  /** A release that names its receiver is left to it for this long. */
  releaseWaitMs: 1_000,
  /** Time to give a partition away, up to its release. */
  giveAwayMs: 5_000,
  /** A partition that came back is not given again before. */
  giveAgainMs: 10_000,
  /** A take-over that takes longer is logged, and the node goes on with other partitions. */
  takeMs: 10_000,

  // Webhooks.
  webhooks: 50,
  webhookUrlChars: 2_000,
  webhookTypes: 100,
  /** Deliveries of one webhook that wait. Beyond it the webhook is disabled: it must not hold up the others. */
  webhookWaiting: 20_000,
  /** Deliveries of all webhooks that wait. Beyond it no event is read for them: they lag, and orders do not. */
  webhooksWaiting: 100_000,
  /** Deliveries that one statement stores, and their bytes. */
  webhookTake: 500,
  webhookTakeBytes: 2_000_000,
  /** Attempts at once to one webhook, and in all. */
  webhookAttempts: 10,
  webhooksAttempts: 100,
  /** Time to resolve the name and to connect, and for a whole attempt. */
  webhookConnectMs: 5_000,
  webhookAnswerMs: 15_000,
  /** For this long nobody else attempts a delivery that was claimed. */
  webhookLeaseMs: 30_000,
  /** The part of an answer that is read. */
  webhookAnswerBytes: 16_384,
  /** Deliveries that fail for good, one after the other, until the webhook is disabled. */
  webhookFailures: 20,
  /** The longest pause that a receiver may ask for with Retry-After. */
  webhookRetryAfterMs: 3_600_000,
  /** The secret before a rotation signs for this long beside the new one. */
  webhookOldSecretMs: 24 * 3_600_000,
  /** The log: its age, and its deliveries of one webhook that have ended. */
  webhookLogMs: 7 * 24 * 3_600_000,
  webhookLog: 10_000,
  /** Tolerance for the clocks of broker and database, which differ: a new webhook may get events that are so much older. */
  webhookClockMs: 5_000,

  // The cache.
  /** One cache call. The rest of cacheReadMs is for the check of an open circuit breaker. */
  cacheCallMs: 50,
  cacheReadMs: 100,
  cacheCallsAtOnce: 1_000,
  /** A connection to Redis that was silent for this long is closed. */
  cacheSilenceMs: 1_000,
  cacheEntryBytes: 262_144,
  /** Size of the cache in this process. */
  cacheBytes: 33_554_432,
  cacheTtlMs: 3_600_000,
  /** Orders whose cache stamps this node keeps, to recognise entries that are not its own. */
  cacheStamps: 100_000,
  /** The same for queries about products. */
  productStamps: 10_000,
  /** Callers whose requests are counted in this process. */
  countedCallers: 100_000,

  // The flush.
  flushEveryMs: 150,
  /** Products change often, so their rows and the journal's row wait for several flushes of orders. */
  flushWholeEveryMs: 600,
  /** While somebody waits for the rows, whole flushes are so far apart at least. */
  flushAwaitedEveryMs: 50,
  flushEvents: 30_000,
  flushOrders: 400,
  /** Rows in one statement, of all kinds together. */
  flushRows: 8_000,

  // Waits, in milliseconds.
  appendAnswerMs: 2_000,
  statementMs: 5_000,
  /** A list that is asked to be fresh waits for so long. */
  freshMs: 2_000,
  /** Time for the count of a list. A longer count is given up for an estimate. */
  listMs: 2_000,
  readyMs: 1_500,
  /** A verified credential is accepted for this long without a look-up: the longest delay of a revocation. */
  credentialMs: 5_000,
  /** A credential in use that is older is looked up again in the background, while it is still accepted. */
  credentialRefreshMs: 2_500,
  /** The shortest interval between two writes of a key's last use. */
  keyTouchMs: 60_000,
  /** Tolerance for a token's times, because clocks differ. */
  tokenLeewayMs: 5_000,
  issuerAnswerMs: 3_000,
  /** Older keys of the issuer are fetched again. */
  issuerKeysMs: 600_000,
  /** An unknown key makes the node fetch at once, but not sooner than this after the last fetch. */
  issuerCooldownMs: 1_000,
  /** Tokens that wait for such a fetch. It is below credentialLookUps, so API keys are still looked up meanwhile. */
  issuerWaiting: 16,
  /** Pause after a failed fetch. */
  issuerRetryMs: 2_000,
  stopMs: 8_000,
  /** Time for a whole receipt. Each of its products waits no longer than an order does. */
  receiptMs: 30_000,
  /** The longest wait for an outcome that a client may request. */
  preferredWaitMs: 60_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 75_000,
  /**
   * A client that reads nothing of its reply for this long is disconnected. It is longer than any wait for an answer.
   */
  silenceMs: 90_000,
  /** The longest time to discard the rest of a refused body. Then the connection is closed. */
  drainMs: 2_000,
  /** During a stop, the time for headers that have begun to arrive. */
  stopHeadersMs: 1_000,

  // The gremlin.
  gremlinRules: 10,
  gremlinDelayMs: 20_000,
  gremlinJitterMs: 10_000,
  gremlinEvery: 1_000_000,
  gremlinForS: 3_600,
  /** The duration when none is given. */
  gremlinForSDefault: 600,
  /** Orders that the gremlin holds back after their clients were answered. */
  gremlinLate: 20_000,

  // Retention.
  /** How long published records are kept on a broker that may lose acknowledged messages. */
  keepPublishedMs: 3_600_000,
  /** The most bytes of such published records. */
  keepPublishedBytes: 33_554_432,
  /** The most bytes of unpublished records in the journal. Beyond it EVENTS gets a gap, which is logged. */
  keepUnpublishedBytes: 268_435_456,
  /** A record or claim stays for this long after nobody needs it: whoever has read the rows reads the logs next. */
  readSpareMs: 5_000,
  journalBytes: 1_073_741_824,
  /** Free room below journalBytes that only seals and claims may use. */
  journalReserveBytes: 33_554_432,
  /** Within this distance of a full journal a node asks for the journal's size before each append. */
  journalNearlyFullBytes: 67_108_864,
  /** A node appends so much between two looks at the journal's size: other nodes append as well. */
  journalBlindBytes: 2_097_152,
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
  must(l.flushAwaitedEveryMs <= l.flushWholeEveryMs, 'flushAwaitedEveryMs must not exceed flushWholeEveryMs');
  must(l.flushOrders <= l.flushEvents, 'flushOrders must not exceed flushEvents');
  must(l.flushEvents < l.unflushedEvents, 'flushEvents must stay below unflushedEvents');
  must(l.letterWindow <= l.channelLetters, 'letterWindow must not exceed channelLetters');
  must(l.parkedCommands <= l.inboxCommands, 'parkedCommands must fit into inboxCommands');
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
  must(l.flushWholeEveryMs < l.freshMs / 2, 'freshMs must have room for a flush and another one');
  must(l.listeners + 1_000 <= l.connections, 'connections must leave room for requests beside listeners');
  must(
    l.liveStallMs < l.liveBacklogMs,
    'liveBacklogMs must be longer than liveStallMs: else nobody is told to be too slow',
  );
  must(l.liveBeatMs < l.silenceMs / 2, 'silenceMs must allow that a listener misses a sign of life');
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
    16 * l.recordBytes < l.journalReserveBytes / 2,
    'journalReserveBytes must have room for seals and claims beside a last record of each of 16 nodes',
  );
  must(
    16 * (l.journalBlindBytes + l.recordBytes) < l.journalNearlyFullBytes,
    'journalNearlyFullBytes must have room for what 16 nodes append before they know that it is nearly full',
  );
  must(
    l.unflushedBytes + Math.max(l.keepPublishedBytes, l.keepUnpublishedBytes) + l.recordBytes <
      l.journalBytes - l.journalReserveBytes,
    'unflushedBytes with what is kept for EVENTS must fit into journalBytes less journalReserveBytes: else a full journal waits for a flush that waits for the journal',
  );
  must(l.peerAsks <= l.waitingRequests, 'peerAsks must fit into waitingRequests');
  must(2 * l.peerSignMs < l.peerSilenceMs, 'peerSilenceMs must allow that one sign of life is lost');
  must(l.peerAskBytes < l.unsentBytes, 'unsentBytes must have room for peerAskBytes');
  must(l.preferredWaitMs + l.peerGraceMs < l.silenceMs, 'peerGraceMs with preferredWaitMs must stay below silenceMs');
  must(l.placementStepMs <= l.heartbeatMs, 'placementStepMs must not exceed heartbeatMs');
  must(
    l.placementStepMs + l.placementCallMs <= l.judgeLateMs,
    'judgeLateMs must have room for a step that waits placementCallMs: else a slow bucket makes the judge late',
  );
  must(
    l.heartbeatMs + l.judgeLateMs < l.silentMs,
    'silentMs must be longer than heartbeatMs and judgeLateMs together: else one slow step looks like a death',
  );
  must(l.releaseWaitMs < l.giveAgainMs, 'giveAgainMs must be longer than releaseWaitMs');
  must(l.webhookConnectMs < l.webhookAnswerMs, 'webhookConnectMs must be part of webhookAnswerMs');
  must(
    l.webhookAnswerMs + l.statementMs < l.webhookLeaseMs,
    'webhookLeaseMs must have room for webhookAnswerMs and for noting the answer: else a slow delivery is sent twice',
  );
  must(l.webhookAttempts <= l.webhooksAttempts, 'webhooksAttempts must have room for webhookAttempts');
  must(
    2 * l.webhookWaiting <= l.webhooksWaiting,
    'webhooksWaiting must have room for two webhooks that are far behind',
  );
  must(2 * l.cacheCallMs <= l.cacheReadMs, 'cacheReadMs must have room for two times cacheCallMs');
  must(2 * l.cacheEntryBytes <= l.cacheBytes, 'cacheBytes must have room for two times cacheEntryBytes');
  must(l.flushEvents <= l.unflushedRowsOfOne, 'unflushedRowsOfOne must allow a whole flush');
}
