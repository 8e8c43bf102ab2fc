// V8 considers compiling a function once the function has used up its budget of bytecode. With a seventh of the usual
// budget, a process that has just started accepts a tenth more orders. Compiled code is not slower (BENCHMARKS.md).

import { setFlagsFromString } from 'node:v8';

const BUDGET = 10_000;
/** From this version on, V8 does not know the flag and prints a warning on stderr. */
const FIRST_WITHOUT = 12;

if (Number.parseInt(process.versions.v8, 10) < FIRST_WITHOUT) setFlagsFromString(`--interrupt-budget=${BUDGET}`);
