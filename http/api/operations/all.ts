/** All operations of the API, in the order of the reference page. */
import type { Operation } from '../operation.js';
import { eventOperations } from './event-operations.js';
import { forgetOperations } from './forget-operations.js';
import { gremlinOperations } from './gremlin-operations.js';
import { inventoryOperations } from './inventory-operations.js';
import { nodeOperations } from './node-operations.js';
import { numberOperations } from './number-operations.js';
import { orderLifeOperations } from './order-act-operations.js';
import { orderOperations } from './order-operations.js';
import { pageOperations } from './page-operations.js';
import { webhookOperations } from './webhook-operations.js';

export const operations: readonly Operation[] = [
  ...orderOperations,
  ...orderLifeOperations,
  ...numberOperations,
  ...forgetOperations,
  ...inventoryOperations,
  ...webhookOperations,
  ...eventOperations,
  ...nodeOperations,
  ...gremlinOperations,
  ...pageOperations,
];
