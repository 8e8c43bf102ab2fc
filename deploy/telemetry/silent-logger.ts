// A log that nobody reads: for what fails and is said elsewhere.

import type { Logger } from '../../actors/ports/runtime.js';

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
