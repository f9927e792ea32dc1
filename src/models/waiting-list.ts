// Who waits for the same thing, in the order in which they go. Those who were given up are passed over.

import type { Task } from './queue.js';

export interface Waiting {
  readonly task: Task;
  /** Rows of a forward, bytes of a body: what is taken together is bounded in their sum. */
  readonly size: number;
}

export class WaitingList<W extends Waiting> {
  private readonly members: W[] = [];
  private readonly left: (member: W) => void;
  private total = 0;

  /** `left` is told of each who was given up, when it is passed over. */
  constructor(left: (member: W) => void) {
    this.left = left;
  }

  /** The sum of all sizes; those who were given up and not yet passed over count. */
  get size(): number {
    return this.total;
  }

  add(member: W): void {
    this.total += member.size;
    const { members } = this;
    let at = members.length;
    while (at > 0 && members[at - 1]!.task.rank > member.task.rank) at--;
    if (at === members.length) members.push(member);
    else members.splice(at, 0, member);
  }

  /** Who goes first; undefined where nobody waits. */
  first(): W | undefined {
    for (let first = this.members[0]; first; first = this.members[0]) {
      if (first.task.check()) return first;
      this.members.shift();
      this.total -= first.size;
      this.left(first);
    }
    return undefined;
  }

  /** The first ones, `maxSize` in sum and `maxCount` at most, but one whatever its size. They have started. */
  take(maxSize: number, maxCount = Infinity): W[] {
    const taken: W[] = [];
    let size = 0;
    let passed = 0;
    for (const member of this.members) {
      if (taken.length > 0 && (taken.length >= maxCount || size + member.size > maxSize)) break;
      passed++;
      this.total -= member.size;
      if (member.task.start()) {
        taken.push(member);
        size += member.size;
      } else {
        this.left(member);
      }
    }
    if (passed === this.members.length) this.members.length = 0;
    else this.members.splice(0, passed);
    return taken;
  }
}
