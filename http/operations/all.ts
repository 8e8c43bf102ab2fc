/** The whole API, in the order in which it is shown. */
import type { Operation } from '../operation.js';
import { gremlinOperations } from './gremlin.js';
import { inventoryOperations } from './inventory.js';
import { nodeOperations } from './node.js';
import { orderLifeOperations } from './order-life.js';
import { orderOperations } from './orders.js';

export const operations: readonly Operation[] = [
  ...orderOperations,
  ...orderLifeOperations,
  ...inventoryOperations,
  ...nodeOperations,
  ...gremlinOperations,
];
