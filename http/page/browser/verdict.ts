/** Verify's verdict in words: what it says of the promises, and what to do next. */
import type { Overview } from './answers.js';
import { count } from './words.js';

interface VerdictText {
  readonly state: 'unknown' | 'clean' | 'violations';
  readonly sentence: string;
  readonly next: string;
}

const RUN = 'Run npm run verify in the checkout of this node, with its DATA_DIR; orders go on meanwhile.';

export function verdictText(verdict: Overview['verify']): VerdictText {
  if (verdict === null)
    return { state: 'unknown', sentence: 'Nobody has checked the stored data from here yet.', next: RUN };
  const judged = verdict.of === 'verify' ? 'the stored data' : 'the last backup';
  if (verdict.clean) return { state: 'clean', sentence: `Every promise held in ${judged}.`, next: RUN };
  const found = verdict.violations === 1 ? '1 violation' : `${count(verdict.violations)} violations`;
  return {
    state: 'violations',
    sentence: `A promise is broken: ${found} in ${judged}.`,
    next: `${RUN} It names each one. OPERATING.md, HoldfastVerifyViolation`,
  };
}
