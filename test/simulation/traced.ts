/** Every third request of the simulated clients is traced: its correlation has a traceparent behind its name. */
import { withTrace } from '../../actors/correlation.js';

const hex = (count: number, digits: number) => count.toString(16).padStart(digits, '0');

export const tracedOrNot = (name: string, count: number): string =>
  count % 3 === 0 ? withTrace(name, `00-${hex(count + 1, 32)}-${hex(count + 1, 16)}-01`) : name;
