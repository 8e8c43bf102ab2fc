import { memorySnapshots } from '../../storage/memory/memory-snapshots.js';
import { queriesContract } from './queries.suite.js';

queriesContract('memory', memorySnapshots());
