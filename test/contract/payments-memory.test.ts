import { mockPayments } from '../../bus/payments/mock-provider.js';
import { systemClock } from '../../bus/system-clock.js';
import { memoryPaymentLedger } from '../../storage/memory/memory-payment-ledger.js';
import { paymentsContract, SUCCESS_RATE } from './payments.suite.js';

const ledger = memoryPaymentLedger();
paymentsContract('memory', mockPayments({ successRate: SUCCESS_RATE, latencyMs: 2, ledger, clock: systemClock() }));
