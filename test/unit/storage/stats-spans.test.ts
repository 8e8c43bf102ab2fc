/** A range of days as months and days: exactly the range, and few of the days are read. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Span, spansOf } from '../../../storage/lists/stats-spans.js';

const test = suite('stats spans');
const DAY_MS = 86_400_000;
const dayOf = (no: number): string => new Date(Date.UTC(2023, 10, 1) + no * DAY_MS).toISOString().slice(0, 10);
/** Nearly three years, with a leap day. */
const ALL = Array.from({ length: 1_000 }, (_, no) => dayOf(no));
const isIn = (day: string, { from = '', to = '9999' }: Pick<Span, 'from' | 'to'>) => day >= from && day < to;

/** How often each day counts. A month counts for all of its days. */
const counts = (spans: readonly Span[]) =>
  ALL.map((day) =>
    spans
      .filter((span) => isIn(span.of === 'month' ? `${day.slice(0, 7)}-01` : day, span))
      .reduce((sum, { isAdded }) => sum + (isAdded ? 1 : -1), 0),
  );

test('each day of the range counts once, the others not at all, and at most 31 days are read one by one', () => {
  const end = fc.option(fc.nat(999).map(dayOf), { nil: undefined });
  fc.assert(
    fc.property(end, end, (one, other) => {
      const [from, to] = one !== undefined && other !== undefined && one > other ? [other, one] : [one, other];
      const spans = spansOf(from, to);
      assert.equal(
        counts(spans),
        ALL.map((day) => (isIn(day, { from, to }) ? 1 : 0)),
      );
      const read = spans.filter(({ of }) => of === 'day');
      const days = read.map(({ from = '', to = '' }) => (Date.parse(to) - Date.parse(from)) / DAY_MS);
      assert.ok(days.reduce((sum, count) => sum + count, 0) <= 31);
    }),
    { numRuns: 300 },
  );
});

test('whole months read no day, and a few days read no month', () => {
  const month = { of: 'month', isAdded: true } as const;
  assert.equal(spansOf('2026-01-01', '2027-01-01'), [{ ...month, from: '2026-01-01', to: '2027-01-01' }]);
  assert.equal(spansOf(undefined, undefined), [{ ...month, from: undefined, to: undefined }]);
  assert.equal(spansOf('2026-12-20', undefined)[0], { ...month, from: '2027-01-01', to: undefined });
  assert.equal(spansOf('2026-12-20', '2026-12-21'), [
    { of: 'day', from: '2026-12-20', to: '2026-12-21', isAdded: true },
  ]);
});

test('the last day that can be asked for is no exception', () => {
  assert.equal(spansOf('2026-01-01', '9999-12-31'), [
    { of: 'month', from: '2026-01-01', to: '9999-12-01', isAdded: true },
    { of: 'day', from: '9999-12-01', to: '9999-12-31', isAdded: true },
  ]);
});

test.run();
