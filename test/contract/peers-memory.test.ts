import { memoryNetwork } from '../../bus/peers/memory-link.js';
import { realClock } from '../unit/edge/fake-owners.js';
import { peersContract } from './peers.suite.js';

const network = memoryNetwork({ random: Math.random });
peersContract(
  'memory',
  async () => network.link(realClock),
  async () => {},
);
