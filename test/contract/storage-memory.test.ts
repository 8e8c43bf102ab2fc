import { memorySnapshots } from '../../storage/memory/memory-snapshots.js';
import { memorySettlements } from '../../storage/memory/memory-stores.js';
import { storageContract } from './storage.suite.js';

storageContract('memory', { ...memorySnapshots(), settlements: memorySettlements() });
