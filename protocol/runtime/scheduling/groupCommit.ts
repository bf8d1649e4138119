// Group commit: while one group of items is written and synced, the next one collects, so that the
// number of syncs follows the speed of the disk and not the number of commits, and no commit waits
// for a timer. Only the order is decided here; the writer does the I/O and answers the items.
//
// Invariants: groups are written one at a time, in the order in which items were added; every item
// is in exactly one group, and its group ends in exactly one call of `written` or `failed`.

import { assert } from '../assert.ts'
import { noRarePoints, type RarePoints } from '../rarePoints.ts'
import type { Scheduler } from './scheduler.ts'

/** Writes the groups. Calls never overlap. */
export interface GroupWriter<Item> {
  /** Returns how many items, from the first on, go into the next group: 1 to `pending.length`. */
  groupLength(pending: readonly Item[]): number
  /** Resolves when the whole group is durable. A rejection ends in `failed`. */
  write(group: readonly Item[]): Promise<void>
  /** Answers the items of a durable group. Must not throw. */
  written(group: readonly Item[]): void
  /**
   * Answers the items of a group whose write failed; the next group waits for it. Items added since
   * remain pending: a writer that gives up takes them with `drain`. Must neither throw nor reject.
   */
  failed(group: readonly Item[], error: unknown): void | Promise<void>
}

export class GroupCommit<Item> {
  readonly #writer: GroupWriter<Item>
  readonly #scheduler: Scheduler
  readonly #rarePoints: RarePoints
  readonly #start = () => void this.#run()
  #pending: Item[] = []
  #isRunning = false
  #idle: PromiseWithResolvers<void> | undefined

  constructor(writer: GroupWriter<Item>, scheduler: Scheduler, rarePoints = noRarePoints) {
    this.#writer = writer
    this.#scheduler = scheduler
    this.#rarePoints = rarePoints
  }

  /** Items of later groups; those of the group being written are not among them. */
  get pending(): readonly Item[] {
    return this.#pending
  }

  /** Queues an item. All items that the same turn of the event loop adds share the first group. */
  add(item: Item): void {
    this.#pending.push(item)
    if (this.#isRunning) return
    this.#isRunning = true
    this.#scheduler.soon(this.#start)
  }

  /** Removes and returns the pending items; nobody else answers them. */
  drain(): Item[] {
    const dropped = this.#pending
    this.#pending = []
    return dropped
  }

  /** Resolves when no item is pending and no group is being written. */
  async idle(): Promise<void> {
    while (this.#isRunning) {
      this.#idle ??= Promise.withResolvers<void>()
      await this.#idle.promise
    }
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      const group = this.#take()
      try {
        await this.#writer.write(group)
      } catch (error) {
        await this.#writer.failed(group, error)
        continue
      }
      this.#writer.written(group)
    }
    this.#isRunning = false
    this.#idle?.resolve()
    this.#idle = undefined
  }

  #take(): Item[] {
    const { length } = this.#pending
    const isAlone = this.#rarePoints.isForced('group of one')
    const count = isAlone ? 1 : this.#writer.groupLength(this.#pending)
    assert(count >= 1 && count <= length, 'a group has at least one pending item')
    return count === length ? this.drain() : this.#pending.splice(0, count)
  }
}
