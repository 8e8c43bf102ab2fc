// V8 thinks of compiling a function when it has run through its budget of bytecode. With a seventh of the usual budget
// a process that has just started takes a tenth more orders, and compiled code is none the worse for it (BENCHMARKS.md).

import { setFlagsFromString } from 'node:v8';

const BUDGET = 10_000;
/** From here on V8 does not know the flag, and says so on stderr. */
const FIRST_WITHOUT = 12;

if (Number.parseInt(process.versions.v8, 10) < FIRST_WITHOUT) setFlagsFromString(`--interrupt-budget=${BUDGET}`);
