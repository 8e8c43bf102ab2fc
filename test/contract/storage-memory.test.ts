import { memorySnapshots } from '../../storage/memory-snapshots.js';
import { memoryPaymentLedger, memorySettlements } from '../../storage/memory-stores.js';
import { storageContract } from './storage.suite.js';

storageContract('memory', { ...memorySnapshots(), settlements: memorySettlements(), ledger: memoryPaymentLedger() });
