/**
 * Counts what happens inside the product where no port shows it, by overrides of its methods that change nothing.
 * It is for the counters alone: no promise is checked here.
 */
import { HomeLetters } from '../../actors/node/home-letters.js';
import type { OwnedPartition } from '../../actors/node/owned-partition.js';
import { PartitionLife } from '../../actors/node/partition-life.js';
import type { Join } from '../../actors/node/record.js';
import type { World } from '../../actors/node/world.js';
import type { NumberedLetter } from '../../actors/ports/letters.js';
import { EventOrder } from '../../bus/events/event-order.js';
import { NodeHost } from '../../bus/node/node-host.js';
import { AsksMade } from '../../bus/peers/asks-made.js';
import type { AnswerTo } from '../../bus/peers/messages.js';
import type { Counters } from './counters.js';
import { over } from './planting.js';

/** @returns a function that ends the counting */
export function watchProduct(counters: Counters): () => void {
  const count = (name: string, times = 1) => {
    if (times > 0) counters.add(name, times);
  };
  const worldOf = (life: unknown) => (life as { readonly node: { readonly world: World } }).node.world;
  const watches = [
    over<[World], void>(PartitionLife, 'begin', (original) => {
      return function (joined, ...rest) {
        count('partition: joined', joined.owned.size);
        original.call(this, joined, ...rest);
      };
    }),
    over<[number], void>(PartitionLife, 'freeze', (original) => {
      return function (partition) {
        count('partition: frozen');
        original.call(this, partition);
      };
    }),
    over<[number], void>(PartitionLife, 'thaw', (original) => {
      return function (partition) {
        if (worldOf(this).owned.get(partition)?.isFrozen) count('partition: thawed');
        original.call(this, partition);
      };
    }),
    over<[OwnedPartition], object[]>(PartitionLife, 'takeParked', (original) => {
      return function (owned) {
        const parked = original.call(this, owned);
        count('partition: a command waited while it was frozen', parked.length);
        return parked;
      };
    }),
    over<[ReadonlySet<number>], void>(PartitionLife, 'leave', (original) => {
      return function (gone) {
        for (const { partition, channels } of worldOf(this).owned.values()) {
          for (const to of gone)
            if (!gone.has(partition) && channels.waiting(to) > 0) count('home letters: their partition moved away');
        }
        original.call(this, gone);
      };
    }),
    over<[object], void>(PartitionLife, 'tellMoved', (original) => {
      return function (item) {
        count('partition: a command met the release');
        original.call(this, item);
      };
    }),
    over<[(letter: NumberedLetter) => unknown], void>(HomeLetters, 'handle', (original) => {
      return function (decide) {
        original.call(this, (letter) => {
          count('home letters: handled after their partition came or thawed');
          return decide(letter);
        });
      };
    }),
    over<[ReadonlyMap<number, number>, number, string | undefined], Promise<boolean>>(
      NodeHost,
      'release',
      (original) => {
        return async function (epochs, n, to, ...rest) {
          const isShown = await original.call(this, epochs, n, to, ...rest);
          if (isShown && to !== undefined) count('partition: given away', epochs.size);
          return isShown;
        };
      },
    ),
    over<[string, readonly Join[]], Promise<readonly object[]>>(EventOrder, 'missing', (original) => {
      return async function (...args) {
        const missing = await original.apply(this, args);
        if (missing.length > 0) count('EVENTS: a join waited for the events that it names');
        return missing;
      };
    }),
    over<unknown[], Promise<number>>(EventOrder, 'publish', (original) => {
      return async function (...args) {
        const n = await original.apply(this, args);
        count('EVENTS: a tail was published by another journal');
        return n;
      };
    }),
    over<[readonly AnswerTo[]], void>(AsksMade, 'answered', (original) => {
      return function (answers) {
        count('look: a read of another edge was answered', answers.filter((answer) => 'state' in answer).length);
        original.call(this, answers);
      };
    }),
  ].map((watch) => watch());
  return () => {
    for (const restore of watches.reverse()) restore();
  };
}
