/** Who shares the partitions, as one node sees it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { journalId, type NodeId, nodeId } from '../../../actors/ids.js';
import { limits } from '../../../actors/limits.js';
import { digestOf, Views } from '../../../actors/placement/view.js';
import type { Heartbeat } from '../../../actors/ports/members.js';

const test = suite('view');
const [A, B, C] = ['A', 'B', 'C'].map(nodeId) as [NodeId, NodeId, NodeId];
const NOBODY: ReadonlySet<NodeId> = new Set();
const beat = (node: NodeId, seen: readonly NodeId[], leaving = false): Heartbeat => ({
  ...{ node, name: node, journal: journalId(`J${node}`), digest: digestOf(seen), wants: [], leaving },
});
const all = [A, B, C];

test('a node that sees nobody shares with itself', () => {
  const view = new Views().see(A, false, [], NOBODY, 0);
  assert.equal(view, { digest: digestOf([A]), sharing: [A], leaving: NOBODY, isSettled: true });
});

test('members that see the same agree, in whatever order they see it', () => {
  const view = new Views().see(A, false, [beat(C, all), beat(B, all.toReversed())], NOBODY, 0);
  assert.equal(view, { digest: digestOf(all), sharing: all, leaving: NOBODY, isSettled: true });
});

test('until a member agrees it has its share, and nothing is settled', () => {
  const views = new Views();
  const view = views.see(A, false, [beat(B, [A, B]), beat(C, all)], NOBODY, 0);
  assert.equal([view.sharing, view.isSettled], [all, false]);
  assert.ok(views.see(A, false, [beat(B, all), beat(C, all)], NOBODY, 500).isSettled);
});

test('a member that keeps a view of its own has no share after a while, and the others are settled', () => {
  const views = new Views();
  const heartbeats = [beat(B, [B]), beat(C, all)];
  views.see(A, false, heartbeats, NOBODY, 0);
  assert.not(views.see(A, false, heartbeats, NOBODY, limits.disagreeMs - 1).isSettled);
  const view = views.see(A, false, heartbeats, NOBODY, limits.disagreeMs);
  assert.equal([view.sharing, view.isSettled, view.digest], [[A, C], true, digestOf(all)]);
  assert.equal(views.see(A, false, [beat(B, all), beat(C, all)], NOBODY, limits.disagreeMs + 500).sharing, all);
});

test('who is gone or leaving is no member; who is leaving is known as such', () => {
  const views = new Views();
  assert.equal(views.see(A, false, [beat(B, [A, B]), beat(C, all)], new Set([C]), 0).sharing, [A, B]);
  const view = views.see(A, false, [beat(B, [A, B]), beat(C, [A, B], true)], NOBODY, 0);
  assert.equal(view, { digest: digestOf([A, B]), sharing: [A, B], leaving: new Set([C]), isSettled: true });
});

test('a node that leaves sees the others alone', () => {
  const view = new Views().see(A, true, [beat(B, [B, C]), beat(C, [B, C])], NOBODY, 0);
  assert.equal([view.sharing, view.digest, view.isSettled], [[B, C], digestOf([B, C]), true]);
});

test('its own heartbeat, of an earlier incarnation perhaps, is none of the others', () => {
  assert.equal(new Views().see(A, false, [beat(A, [A, C])], NOBODY, 0).sharing, [A]);
});

test.run();
