// V8 compiles a function once it has run through its budget of bytecode three times. With a seventh of the usual budget
// the first thousands of orders are slow for half as long, and compiled code is none the worse for it (BENCHMARKS.md).

import { setFlagsFromString } from 'node:v8';

const BUDGET = 10_000;
/** From here on V8 has a compiler in between, counts calls instead, and does not know the flag. */
const FIRST_WITH_MAGLEV = 12;

if (Number.parseInt(process.versions.v8, 10) < FIRST_WITH_MAGLEV) setFlagsFromString(`--interrupt-budget=${BUDGET}`);
