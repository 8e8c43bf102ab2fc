// Ports for the edge, which listens before the stores are open. Until the stores are open, each call is answered with
// "this node is starting". The owner of orders answers so by itself (bus/node/supervisor.ts).

import type { ApiKeys } from '../actors/ports/api-keys.js';
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { Queries } from '../actors/ports/queries.js';
import { Unavailable } from '../actors/unavailable.js';
import { STARTING } from '../bus/node/supervisor.js';

function orStarting<Port>(opened: () => Port | undefined): () => Port {
  return () => {
    const port = opened();
    if (port === undefined) throw new Unavailable(STARTING, true);
    return port;
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
    hasWrite: async (refs) => queries().hasWrite(refs),
    stockAt: async (product, at) => queries().stockAt(product, at),
  };
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
