// Appends unique entries one after another and resolves each unknown outcome, as a member does: the
// same bytes are appended again until they, or another entry, are at their place.

import type { NatsLog } from '../../../../../protocol/coordination/log/nats/natsLog.ts'

export class Appender {
  readonly #log: NatsLog
  readonly #name: string
  /** Texts of the entries that are durable, by sequence. */
  readonly appended = new Map<number, string>()
  #next: number
  #unknown = 0
  #running: Promise<void> | undefined
  #isStopped = false

  constructor(log: NatsLog, name: string, next: number) {
    this.#log = log
    this.#name = name
    this.#next = next
  }

  /** Appends whose outcome was unknown at first. */
  get unknown(): number {
    return this.#unknown
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    for (let number = 1; !this.#isStopped; number++) {
      const text = `${this.#name} ${number}`
      while (!(await this.#append(text)));
    }
  }

  /** Returns false if another entry is at the place. */
  async #append(text: string): Promise<boolean> {
    const bytes = Buffer.from(text)
    for (;;) {
      const sequence = this.#next
      try {
        const outcome = await this.#log.append(sequence, bytes)
        this.#next++
        if (outcome === 'conflict') return false
        this.appended.set(sequence, text)
        return true
      } catch (error) {
        if ((error as { code?: string }).code !== 'COORDINATION_UNAVAILABLE') throw error
        this.#unknown++
      }
    }
  }
}
