import { memoryReceiptKeys } from '../../storage/memory/memory-stores.js';
import { receiptKeysContract } from './receipt-keys.suite.js';

receiptKeysContract('in memory', memoryReceiptKeys());
