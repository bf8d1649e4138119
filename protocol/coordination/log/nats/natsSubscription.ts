// One subscription to the log: carries out what DeliveryCore decides. Stored entries come as the
// stream publishes them again; what is missed (a reconnection, a slow network, a change of the
// leader) is noticed at the next entry or the next look at the stream, and read from it. There is
// no consumer on the server that could stall or disappear.
//
// Also notices that the log is another one: repaired, or created anew under the same name.

import type { Clock, Timer } from '../../../runtime/time/clock.ts'
import type { LogEntry, LogListener } from '../coordinationLog.ts'
import { DeliveryCore, type DeliveryEffect } from './deliveryCore.ts'
import { lookAt, newestGeneration, readEntries } from './natsEntries.ts'
import type { NatsLink } from './natsLink.ts'
import type { NatsSnapshots } from './natsSnapshots.ts'
import { type EntriesStream, subjects } from './natsStreams.ts'

export interface SubscriptionOptions {
  readonly link: NatsLink
  readonly name: string
  readonly stream: EntriesStream
  readonly snapshots: NatsSnapshots
  readonly clock: Clock
  readonly checkIntervalMs: number
  /** How long a loss must be seen before it counts (DeliveryCore). */
  readonly confirmMs: number
}

/**
 * A server that cannot reach the stream's leader for longer than an election takes (9 s) may be cut
 * off from the others.
 */
const moveOnMs = 10_000
/** Checks between two looks for a newer generation without another reason. */
const generationChecks = 10

export class NatsSubscription {
  readonly #options: SubscriptionOptions
  readonly #listener: LogListener
  readonly #core: DeliveryCore
  readonly #endings: (() => void)[] = []
  #timer: Timer | undefined
  #isReachable = true
  #isEnded = false
  #isChecking = false
  /** Another check is due when the current one is done. */
  #isCheckDue = false
  #checksUntilGeneration = 0
  #goneSinceMs: number | undefined
  #isLost = false
  /** Since when looks fail, or when the link was made to move on because of that. */
  #failingSinceMs = 0

  constructor(options: SubscriptionOptions, sequence: number, listener: LogListener) {
    this.#options = options
    this.#listener = listener
    this.#core = new DeliveryCore(sequence, options.confirmMs)
    const { link, name, stream } = options
    this.#endings.push(
      link.listen(subjects.published(name, stream.identity.id), (message) => {
        const entry = this.#publishedEntry(message.headers?.get('Nats-Sequence'), message.data)
        if (entry !== undefined && !this.#isEnded) this.#perform(this.#core.published(entry))
      }),
      link.listen(subjects.generations(name), () => {
        this.#checksUntilGeneration = 0
        this.check()
      }),
      link.onConnected((isConnected) => {
        if (isConnected) this.check()
        else this.#setReachable(false)
      }),
    )
    this.check()
  }

  get delivered(): number {
    return this.#core.delivered
  }

  end(): void {
    this.#isEnded = true
    this.#timer?.cancel()
    for (const end of this.#endings.splice(0)) end()
  }

  /** Looks at the stream now rather than when the interval is over. */
  check(): void {
    if (this.#isEnded) return
    if (this.#isChecking) {
      this.#isCheckDue = true
      return
    }
    this.#timer?.cancel()
    this.#isChecking = true
    void this.#look().finally(() => this.#checked())
  }

  #checked(): void {
    this.#isChecking = false
    if (this.#isEnded) return
    const { clock, checkIntervalMs } = this.#options
    if (this.#isCheckDue) {
      this.#isCheckDue = false
      this.check()
    } else this.#timer = clock.setTimer(checkIntervalMs, () => this.check())
  }

  async #look(): Promise<void> {
    const { link, name, stream, clock } = this.#options
    const asked = this.#core.delivered
    try {
      const now = await lookAt(link, name, stream.stream)
      const isSame = now?.identity.id === stream.identity.id
      const newest =
        isSame && !this.#isGenerationDue(now) ? now : await newestGeneration(link, name)
      if (this.#isEnded) return
      this.#setReachable(true)
      if (newest === undefined) this.#gone()
      else if (newest.identity.id !== stream.identity.id) this.#replaced(newest)
      else {
        this.#goneSinceMs = undefined
        const { firstSequence, lastSequence } = newest
        this.#perform(this.#core.observed(firstSequence, lastSequence, asked, clock.monotonicMs()))
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  #isGenerationDue(now: EntriesStream): boolean {
    if (!now.isSealed && this.#checksUntilGeneration-- > 0) return false
    this.#checksUntilGeneration = generationChecks
    return true
  }

  #replaced({ identity, lastSequence }: EntriesStream): void {
    this.end()
    this.#listener.onIdentity(identity, lastSequence)
  }

  /** No generation exists any more: the streams were deleted. */
  #gone(): void {
    const nowMs = this.#options.clock.monotonicMs()
    this.#goneSinceMs ??= nowMs
    if (nowMs - this.#goneSinceMs >= this.#options.confirmMs) this.#lost(0)
  }

  /** Told once; a repair is still noticed. */
  #lost(lastSequence: number): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#listener.onLost(lastSequence)
  }

  #publishedEntry(sequence: string | undefined, bytes: Uint8Array): LogEntry | undefined {
    if (sequence === undefined || !/^\d{1,15}$/.test(sequence)) return undefined
    // The client's buffer is shared by messages; an entry may be kept for long.
    return { sequence: Number(sequence), bytes: Buffer.from(bytes) }
  }

  #perform(effects: readonly DeliveryEffect[]): void {
    for (const effect of effects) {
      if (this.#isEnded) return
      if (effect.type === 'entry') this.#listener.onEntry(effect.entry)
      else if (effect.type === 'snapshot') this.#listener.onSnapshot(effect.snapshot)
      else if (effect.type === 'lost') this.#lost(effect.lastSequence)
      else void this.#read(effect)
    }
  }

  async #read(effect: DeliveryEffect & { type: 'read' | 'readSnapshot' }): Promise<void> {
    const { link, stream, snapshots } = this.#options
    try {
      if (effect.type === 'read') {
        const entries = await readEntries(link, stream, effect.from, effect.to)
        if (!this.#isEnded) this.#perform(this.#core.entriesRead(entries))
      } else {
        const snapshot = await snapshots.newest(stream.identity.id)
        if (!this.#isEnded) this.#perform(this.#core.snapshotRead(snapshot))
      }
    } catch (error) {
      this.#core.readFailed()
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof Error && 'code' in error)) throw error
    if (this.#isEnded) return
    this.#setReachable(false)
    const { clock, link } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#failingSinceMs < moveOnMs) return
    this.#failingSinceMs = nowMs
    link.moveOn()
  }

  #setReachable(isReachable: boolean): void {
    if (this.#isEnded || this.#isReachable === isReachable) return
    this.#isReachable = isReachable
    this.#failingSinceMs = this.#options.clock.monotonicMs()
    this.#listener.onReachable(isReachable)
  }
}
