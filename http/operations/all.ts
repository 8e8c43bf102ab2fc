/** The whole API, in the order in which it is matched and shown. */
import type { Operation } from '../operation.js';
import { gremlinOperations } from './gremlin.js';
import { inventoryOperations } from './inventory.js';
import { nodeOperations } from './node.js';
import { orderLifeOperations, transitionsOperation } from './order-life.js';
import { orderOperations } from './orders.js';

export const operations: readonly Operation[] = [
  transitionsOperation,
  ...orderOperations,
  ...orderLifeOperations,
  ...inventoryOperations,
  ...nodeOperations,
  ...gremlinOperations,
];
