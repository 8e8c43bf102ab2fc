import { memoryWebhooks } from '../../storage/memory/memory-webhooks.js';
import { webhooksContract } from './webhooks.suite.js';

webhooksContract('memory', memoryWebhooks(Date.now));
