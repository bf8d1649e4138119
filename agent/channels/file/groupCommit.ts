// Writes to the log in groups: while one write and sync is running, what comes in is collected, and
// goes out together next. Many transactions so share one fdatasync, and none waits for a timer. After
// a failure nothing is written until `resume`: what the disk has then is unknown, and the store has to
// cut it off first.

import type { Scheduler } from '../../../protocol/runtime/scheduler.ts'

/** What a group is written with: one call at a time. */
export type WriteGroup<W> = (group: readonly W[]) => Promise<void>

interface Waiting<W> {
  readonly write: W
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class GroupCommit<W> {
  readonly #scheduler: Scheduler
  readonly #writeGroup: WriteGroup<W>
  /** Turns what the disk said into what the waiting writes fail with. */
  readonly #failureOf: (error: unknown) => Error
  #queue: Waiting<W>[] = []
  #running: Promise<void> | undefined
  #failure: Error | undefined

  constructor(
    scheduler: Scheduler,
    writeGroup: WriteGroup<W>,
    failureOf: (error: unknown) => Error,
  ) {
    this.#scheduler = scheduler
    this.#writeGroup = writeGroup
    this.#failureOf = failureOf
  }

  /** Set from the first failed write until `resume`; every append fails with it. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Queues a write; resolves when it, and everything queued before, is durable. */
  append(write: W): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      this.#running ??= this.#begin()
    })
  }

  /** Stops all writing with this failure, as a failed write does. */
  fail(error: unknown): void {
    this.#failure ??= this.#failureOf(error)
  }

  /** The log ends again where the last durable write ended: writing goes on from there. */
  resume(): void {
    this.#failure = undefined
  }

  /** Resolves when all that was queued is written, or has failed. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** What is committed in the same turn of the event loop shares the first group. */
  #begin(): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.soon(() => resolve(this.#run()))
    })
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const group = this.#queue
      this.#queue = []
      try {
        if (this.#failure !== undefined) throw this.#failure
        await this.#writeGroup(group.map(({ write }) => write))
        for (const { resolve } of group) resolve()
      } catch (error) {
        this.fail(error)
        for (const { reject } of group) reject(this.#failure!)
      }
    }
    this.#running = undefined
  }
}
