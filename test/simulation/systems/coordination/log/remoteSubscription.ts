// One subscription of a member to the simulated log: delivers what the server tells in order, and
// asks at intervals, and after a gap, for what was lost on the way.

import { CoordinationError } from '../../../../../protocol/coordination/coordinationError.ts'
import type {
  LogEntry,
  LogListener,
} from '../../../../../protocol/coordination/log/coordinationLog.ts'
import type { Clock, Timer } from '../../../../../protocol/runtime/time/clock.ts'
import type { RemoteLog } from './remoteLog.ts'
import type { LogView } from './simulatedLog.ts'

export interface SubscriptionOptions {
  /** Of the log that was loaded. */
  readonly id: string
  readonly sequence: number
  readonly listener: LogListener
  readonly clock: Clock
  readonly checkIntervalMs: number
}

export class RemoteSubscription {
  readonly #log: RemoteLog
  readonly #options: SubscriptionOptions
  #delivered: number
  #isEnded = false
  #isReachable = true
  #isLost = false
  #isAsking = false
  #isDue = false
  #timer: Timer | undefined

  constructor(log: RemoteLog, options: SubscriptionOptions) {
    this.#log = log
    this.#options = options
    this.#delivered = options.sequence
    this.#check()
  }

  end(): void {
    this.#isEnded = true
    this.#timer?.cancel()
  }

  /** The server tells of a new entry. */
  published(id: string, entry: LogEntry): void {
    if (this.#isEnded || id !== this.#options.id) return
    if (entry.sequence === this.#delivered + 1) this.#deliver(entry)
    else if (entry.sequence > this.#delivered) this.#check()
  }

  #check(): void {
    if (this.#isAsking) this.#isDue = true
    else if (!this.#isEnded) void this.#ask()
  }

  async #ask(): Promise<void> {
    this.#isAsking = true
    this.#isDue = false
    this.#timer?.cancel()
    const asked = this.#delivered
    try {
      const view = await this.#log.request('follow', (server) => server.follow(this.#log, asked))
      if (view !== undefined) this.#observed(view, asked)
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      this.#setReachable(false)
    }
    this.#isAsking = false
    if (this.#isEnded) return
    if (this.#isDue) return this.#check()
    const { clock, checkIntervalMs } = this.#options
    this.#timer = clock.setTimer(checkIntervalMs, () => this.#check())
  }

  #observed({ identity, lastSequence, snapshot, entries }: LogView, asked: number): void {
    if (this.#isEnded) return
    const { id, listener } = this.#options
    if (identity.id !== id) {
      this.end()
      listener.onIdentity(identity, lastSequence)
      return
    }
    this.#setReachable(true)
    if (lastSequence < asked) {
      this.#lost(lastSequence)
      return
    }
    if (snapshot !== undefined && snapshot.sequence > this.#delivered) {
      this.#delivered = snapshot.sequence
      listener.onSnapshot(snapshot)
    }
    for (const entry of entries) if (entry.sequence === this.#delivered + 1) this.#deliver(entry)
  }

  #deliver(entry: LogEntry): void {
    if (this.#isEnded) return
    this.#delivered = entry.sequence
    this.#options.listener.onEntry(entry)
  }

  #lost(lastSequence: number): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#options.listener.onLost(lastSequence)
  }

  #setReachable(isReachable: boolean): void {
    if (this.#isEnded || isReachable === this.#isReachable) return
    this.#isReachable = isReachable
    this.#options.listener.onReachable(isReachable)
  }
}
