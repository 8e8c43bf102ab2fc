// What the edge is handed before the node is there: it listens from the first moment, and says "not yet"
// until someone answers.

import type { ApiKeys } from '../actors/ports/api-keys.js';
import type { GremlinDesk } from '../actors/ports/gremlin.js';
import type { Owners } from '../actors/ports/owners.js';
import type { Queries } from '../actors/ports/queries.js';
import { Unavailable } from '../actors/unavailable.js';

const NOT_YET = 'this node is starting';

export function laterOwners(owners: () => Owners | undefined): Owners {
  const there = () => {
    const found = owners();
    if (found === undefined) throw new Unavailable(NOT_YET);
    return found;
  };
  return {
    place: (ask, waitMs) => owners()?.place(ask, waitMs) ?? Promise.resolve({ kind: 'unavailable', why: NOT_YET }),
    act: (ask, waitMs) => owners()?.act(ask, waitMs) ?? Promise.resolve({ kind: 'unavailable', why: NOT_YET }),
    stock: (ask, waitMs) => owners()?.stock(ask, waitMs) ?? Promise.resolve({ kind: 'unavailable', why: NOT_YET }),
    order: async (id) => there().order(id),
    product: async (id) => there().product(id),
    flushed: async (id) => there().flushed(id),
    notReady: async () => owners()?.notReady() ?? NOT_YET,
  };
}

export function laterQueries(queries: () => Queries | undefined): Queries {
  const there = () => {
    const found = queries();
    if (found === undefined) throw new Unavailable(NOT_YET);
    return found;
  };
  return {
    order: async (id) => there().order(id),
    orders: async (filter, page) => there().orders(filter, page),
    ordersAfter: async (filter, after, limit) => there().ordersAfter(filter, after, limit),
    countOrders: async (filter) => there().countOrders(filter),
    products: async (page) => there().products(page),
    productsAfter: async (after, limit) => there().productsAfter(after, limit),
    countProducts: async () => there().countProducts(),
    history: async (order) => there().history(order),
    operations: async (product, page) => there().operations(product, page),
    ledger: async (product, before, limit) => there().ledger(product, before, limit),
    stockAt: async (product, at) => there().stockAt(product, at),
  };
}

export function laterGremlin(desk: () => GremlinDesk | undefined): GremlinDesk {
  const there = () => {
    const found = desk();
    if (found === undefined) throw new Unavailable(NOT_YET);
    return found;
  };
  return {
    enable: async (setting, forMs) => there().enable(setting, forMs),
    disable: async () => there().disable(),
    status: async () => there().status(),
    bite: async (target) => desk()?.bite(target),
  };
}

export function laterApiKeys(keys: () => ApiKeys | undefined): ApiKeys {
  const there = () => {
    const found = keys();
    if (found === undefined) throw new Unavailable(NOT_YET);
    return found;
  };
  return {
    create: async (key) => there().create(key),
    find: async (hash) => there().find(hash),
    list: async () => there().list(),
    revoke: async (id, at) => there().revoke(id, at),
    touch: async (id, at) => there().touch(id, at),
  };
}
