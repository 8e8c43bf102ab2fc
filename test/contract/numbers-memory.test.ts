import { memorySnapshots } from '../../storage/memory/memory-snapshots.js';
import { numbersContract } from './numbers.suite.js';

numbersContract('memory', memorySnapshots());
