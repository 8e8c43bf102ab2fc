// Ports for the edge, which listens before the stores are open. Until the stores are open, each call is answered with
// "this node is starting". The owner of orders answers so by itself (bus/node/supervisor.ts).

import type { ApiKeys } from '../actors/ports/api-keys.js';
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { LiveEvents } from '../actors/ports/live-events.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Placement } from '../actors/ports/placement.js';
import type { Queries } from '../actors/ports/queries.js';
import type { Webhooks } from '../actors/ports/webhooks.js';
import { Unavailable } from '../actors/unavailable.js';
import { STARTING } from '../bus/node/supervisor.js';

function orStarting<Port>(opened: () => Port | undefined): () => Port {
  return () => {
    const port = opened();
    if (port === undefined) throw new Unavailable(STARTING, true);
    return port;
  };
}

/** The owners that are known by now. */
export function presentOwners(known: () => Owners): Owners {
  return {
    place: (ask, waitMs) => known().place(ask, waitMs),
    act: (ask, waitMs) => known().act(ask, waitMs),
    stock: (ask, waitMs) => known().stock(ask, waitMs),
    order: (id) => known().order(id),
    product: (id) => known().product(id),
    flushed: (id) => known().flushed(id),
    notReady: () => known().notReady(),
  };
}

export function laterQueries(opened: () => Queries | undefined): Queries {
  const queries = orStarting(opened);
  return {
    order: async (id) => queries().order(id),
    orders: async (filter, page) => queries().orders(filter, page),
    ordersAfter: async (filter, after, limit) => queries().ordersAfter(filter, after, limit),
    countOrders: async (filter) => queries().countOrders(filter),
    products: async (page) => queries().products(page),
    productsAfter: async (after, limit) => queries().productsAfter(after, limit),
    countProducts: async () => queries().countProducts(),
    history: async (order) => queries().history(order),
    operations: async (product, page) => queries().operations(product, page),
    ledger: async (product, before, limit) => queries().ledger(product, before, limit),
    mayHaveLineNames: async () => queries().mayHaveLineNames(),
    hasWrite: async (refs) => queries().hasWrite(refs),
    stockAt: async (product, at) => queries().stockAt(product, at),
    stats: async (filter, limit) => queries().stats(filter, limit),
    userSummary: async (user) => queries().userSummary(user),
    alsoBought: async (product, limit) => queries().alsoBought(product, limit),
  };
}

export function laterPlacement(opened: () => Placement | undefined): Placement {
  const placement = orStarting(opened);
  return { partitions: async () => placement().partitions(), nodes: async () => placement().nodes() };
}

export function laterGremlin(opened: () => GremlinDesk | undefined): GremlinDesk {
  const gremlin = orStarting(opened);
  return {
    enable: async (setting, forMs) => gremlin().enable(setting, forMs),
    disable: async () => gremlin().disable(),
    status: async () => gremlin().status(),
    bite: async (target) => opened()?.bite(target),
  };
}

/** @param absence why there are none, once that is known */
export function laterLiveEvents(opened: () => LiveEvents | undefined, absence: () => string | undefined): LiveEvents {
  const events = orStarting(opened);
  return {
    get absence() {
      return absence() ?? (opened() === undefined ? STARTING : undefined);
    },
    now: async () => events().now(),
    isPlace: (text) => events().isPlace(text),
    listen: (...asked) => events().listen(...asked),
  };
}

export function laterApiKeys(opened: () => ApiKeys | undefined): ApiKeys {
  const keys = orStarting(opened);
  return {
    create: async (key) => keys().create(key),
    find: async (hash) => keys().find(hash),
    list: async () => keys().list(),
    revoke: async (id, at) => keys().revoke(id, at),
    touch: async (id, at) => keys().touch(id, at),
  };
}

export function laterWebhooks(opened: () => Webhooks | undefined): Webhooks {
  const webhooks = orStarting(opened);
  return {
    create: async (webhook) => webhooks().create(webhook),
    list: async () => webhooks().list(),
    find: async (id) => webhooks().find(id),
    change: async (id, change) => webhooks().change(id, change),
    rotate: async (id, secret, keepMs) => webhooks().rotate(id, secret, keepMs),
    remove: async (id) => webhooks().remove(id),
    deliveries: async (id, of) => webhooks().deliveries(id, of),
    redeliver: async (id, delivery) => webhooks().redeliver(id, delivery),
  };
}
