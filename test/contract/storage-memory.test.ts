import { memorySnapshots } from '../../storage/memory-snapshots.js';
import { memorySettlements } from '../../storage/memory-stores.js';
import { storageContract } from './storage.suite.js';

storageContract('memory', { ...memorySnapshots(), settlements: memorySettlements() });
