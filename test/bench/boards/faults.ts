// What happens to boards: cables that are pulled out, and links that are cut by a firewall, one way or both.

import type { Boards } from './boards.js';
import { DATABASE, NODES } from './boards.js';

export interface BoardFault {
  readonly name: string;
  readonly begin: () => void;
  readonly end: () => void;
  /** Too few brokers are left: nothing may be acknowledged. */
  readonly refuses?: boolean;
  /** Orders may wait until it is over. Nothing is lost, and that is checked. */
  readonly mayWait?: boolean;
}

/** @returns one after the other, for boards that are well in between */
export function faultsOf(boards: Boards): readonly BoardFault[] {
  const { net } = boards;
  const [one, two] = NODES;
  const address = (board: string) => net.addressOf(board);
  const pulled = (...out: string[]): BoardFault => ({
    name: `${out.join(' and ')} pulled out`,
    begin: () => out.forEach((board) => void net.cable(board, 'down')),
    end: () => out.forEach((board) => void net.cable(board, 'up')),
    refuses: out.filter((board) => board !== DATABASE).length > 1,
  });
  const cut = (name: string, board: string, rules: readonly string[]): BoardFault => ({
    name,
    begin: () => boards.cut(board, rules),
    end: () => boards.heal(board),
  });
  return [
    ...[...NODES, DATABASE].map((board) => pulled(board)),
    pulled(one, two),
    cut(`${one} hears nobody and is heard`, one, ['input iifname eth0 drop']),
    cut(`${one} is not heard and hears all`, one, ['output oifname eth0 drop']),
    // The third one hears both. The two of them call election after election, and NATS does nothing about it.
    {
      ...cut(`the brokers of ${one} and ${two} apart`, one, [
        `input ip saddr ${address(two)} tcp dport 6222 drop`,
        `input ip saddr ${address(two)} tcp sport 6222 drop`,
        `output ip daddr ${address(two)} tcp dport 6222 drop`,
        `output ip daddr ${address(two)} tcp sport 6222 drop`,
      ]),
      mayWait: true,
    },
    cut(`the node of ${one} without Postgres`, one, [`output ip daddr ${address(DATABASE)} tcp dport 5432 drop`]),
    cut(`the node of ${one} without answers of any broker`, one, ['input tcp sport 4222 drop']),
  ];
}
