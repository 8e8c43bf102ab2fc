/** All operations of the API, in the order of the reference page. */
import type { Operation } from '../operation.js';
import { gremlinOperations } from './gremlin-operations.js';
import { inventoryOperations } from './inventory-operations.js';
import { nodeOperations } from './node-operations.js';
import { orderLifeOperations } from './order-act-operations.js';
import { orderOperations } from './order-operations.js';

export const operations: readonly Operation[] = [
  ...orderOperations,
  ...orderLifeOperations,
  ...inventoryOperations,
  ...nodeOperations,
  ...gremlinOperations,
];
