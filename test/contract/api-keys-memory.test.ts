import { memoryApiKeys } from '../../storage/memory/memory-api-keys.js';
import { apiKeysContract } from './api-keys.suite.js';

apiKeysContract('memory', memoryApiKeys());
