// Writes to the log in groups: while one write and sync is under way, what comes in is collected,
// and goes out together next. Many transactions so share one fdatasync, and none waits for a timer.
// After a failure nothing is written any more: what the disk has then is unknown.

import { AgentError } from '../../errors.ts'

/** What a group is written with: one call at a time. */
export type WriteGroup<W> = (group: readonly W[]) => Promise<void>

interface Waiting<W> {
  readonly write: W
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class GroupCommit<W> {
  readonly #writeGroup: WriteGroup<W>
  #queue: Waiting<W>[] = []
  #running: Promise<void> | undefined
  #failure: AgentError | undefined

  constructor(writeGroup: WriteGroup<W>) {
    this.#writeGroup = writeGroup
  }

  get failure(): AgentError | undefined {
    return this.#failure
  }

  /** Queues a write; resolves when it, and everything queued before, is durable. */
  append(write: W): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when all that was queued is written, or has failed. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    // Lets what is committed in the same turn of the event loop share the first group.
    await undefined
    while (this.#queue.length > 0) {
      const group = this.#queue
      this.#queue = []
      try {
        if (this.#failure !== undefined) throw this.#failure
        await this.#writeGroup(group.map(({ write }) => write))
        for (const { resolve } of group) resolve()
      } catch (error) {
        this.#failure ??= new AgentError(
          'CHANNEL_CLOSED',
          `the log of a file channel cannot be written (${(error as Error).message}): free or repair the disk and restart the agent`,
          error,
        )
        for (const { reject } of group) reject(this.#failure)
      }
    }
    this.#running = undefined
  }
}
