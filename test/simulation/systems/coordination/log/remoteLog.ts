// The log as a member has it: requests to the server with timeouts, and a subscription that gets
// entries as they come, and asks for what it has missed.

import { hash } from 'node:crypto'
import { CoordinationError } from '../../../../../protocol/coordination/coordinationError.ts'
import type {
  AppendOutcome,
  CoordinationLog,
  LogEntry,
  LogHistory,
  LogListener,
  LogPosition,
  LogSnapshot,
} from '../../../../../protocol/coordination/log/coordinationLog.ts'
import { closedLog } from '../../../../../protocol/coordination/log/logRefusals.ts'
import { MemberListeners } from '../../../../../protocol/coordination/log/memberListeners.ts'
import type { SimulatedProcess } from '../../../world/simulatedProcess.ts'
import type { LogParameters } from '../coordinationParameters.ts'
import type { LogWire } from './logWire.ts'
import { RemoteSubscription } from './remoteSubscription.ts'
import { type Append, type Follower, logHost, type SimulatedLog } from './simulatedLog.ts'

export interface RemoteLogOptions {
  readonly process: SimulatedProcess
  readonly server: SimulatedLog
  readonly wire: LogWire
  readonly parameters: LogParameters
  readonly onAppend: () => void
  /** Called with true before a snapshot is given to the member, and with false after it. */
  readonly onSkip: (isSkipping: boolean) => void
  /** The member was given an entry that does not follow the one before it. */
  readonly onForeign: (sequence: number) => void
  readonly reached: (mark: string) => void
}

const messageBytes = 200

export class RemoteLog implements CoordinationLog, Follower {
  readonly isShared = true
  readonly appliesLate = true
  readonly #options: RemoteLogOptions
  readonly #claims = new MemberListeners()
  readonly #pending = new Set<(error: CoordinationError) => void>()
  #id = ''
  /** The last entry that the member certainly has. */
  #sequence = 0
  #beganAt = 0
  /** Entries that the member was given first, by sequence. */
  readonly #given = new Map<number, Uint8Array>()
  /** The last entry that the member has folded, unless that is not known. */
  #last: LogEntry | undefined
  #subscription: RemoteSubscription | undefined
  /** The append whose outcome is unknown. */
  #unknown: Append | undefined
  #isClosed = false

  constructor(options: RemoteLogOptions) {
    this.#options = options
  }

  get process(): SimulatedProcess {
    return this.#options.process
  }

  get sequence(): number {
    return this.#sequence
  }

  /** The entry whose snapshot the member began with: of entries before it, it knows nothing. */
  get beganAt(): number {
    return this.#beganAt
  }

  given(sequence: number): Uint8Array | undefined {
    return this.#given.get(sequence)
  }

  async load(): Promise<LogHistory> {
    const history = await this.request('load', (server) => server.state.history())
    this.#id = history.identity.id
    this.#sequence = history.lastSequence
    this.#beganAt = history.snapshot?.sequence ?? 0
    this.#last = history.entries.at(-1)
    this.#given.clear()
    for (const entry of history.entries) this.#give(entry)
    return history
  }

  async append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    this.#options.onAppend()
    const request = { id: this.#id, sequence, bytes: Buffer.from(bytes), isAbandoned: false }
    this.#noteAbandoned(request)
    try {
      const outcome = await this.request('append', (server) => server.append(request))
      this.#unknown = undefined
      // A repaired log may have been loaded meanwhile.
      if (outcome === 'appended' && request.id === this.#id && sequence > this.#sequence) {
        this.#sequence = sequence
        this.#last = { sequence, bytes: request.bytes }
        this.#give(this.#last)
      }
      return outcome
    } catch (error) {
      request.isAbandoned = true
      // The entry may have been delivered meanwhile.
      if (sequence > this.#sequence) this.#unknown = request
      throw error
    }
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    this.#subscription?.end()
    const observed: LogListener = {
      onEntry: (entry) => {
        this.#noteOutcome(entry)
        listener.onEntry(entry)
        this.#checkFollows(entry)
      },
      onSnapshot: (snapshot) => {
        this.#beganAt = snapshot.sequence
        this.#last = undefined
        this.#skip(() => listener.onSnapshot(snapshot))
      },
      onIdentity: (identity, last) => listener.onIdentity(identity, last),
      onLost: (last) => listener.onLost(last),
      onReachable: (isReachable) => listener.onReachable(isReachable),
    }
    const subscription = new RemoteSubscription(this, {
      ...{ id: this.#id, sequence, listener: observed, clock: this.process.runtime.clock },
      checkIntervalMs: this.#options.parameters.checkIntervalMs,
    })
    this.#subscription = subscription
    return () => subscription.end()
  }

  async read(sequence: number): Promise<readonly LogEntry[]> {
    const id = this.#id
    const entries = await this.request('read', (server) => server.read(id, sequence))
    if (id !== this.#id) return entries
    for (const entry of entries) this.#noteOutcome(entry)
    if (entries.length > 0) this.#last = undefined
    return entries
  }

  writeSnapshot({ sequence, bytes }: LogSnapshot): Promise<void> {
    const snapshot = { sequence, bytes: Buffer.from(bytes) }
    const id = this.#id
    return this.request('writeSnapshot', (server) => server.writeSnapshot(id, snapshot))
  }

  claim(position: LogPosition): void {
    if (this.#isClosed) return
    this.#send('claim', (server) => server.claim(this, position))
  }

  onClaim(listener: (position: LogPosition) => void): () => void {
    return this.#claims.onClaim(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#subscription?.end()
    this.#options.server.leave(this)
    for (const fail of [...this.#pending]) fail(closedLog())
  }

  // What the server says by itself.

  entry(id: string, entry: LogEntry): void {
    this.#subscription?.published(id, entry)
  }

  hearClaim(position: LogPosition): void {
    this.#claims.claimed(position)
  }

  /** Asks the server; rejects when the answer does not come in time. */
  request<T>(what: string, perform: (server: SimulatedLog) => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(closedLog())
    const { process, parameters } = this.#options
    return new Promise<T>((resolve, reject) => {
      const fail = (error: Error) => finish(() => reject(error))
      const finish = (settle: () => void) => {
        timer.cancel()
        if (this.#pending.delete(fail)) settle()
      }
      const timer = process.runtime.clock.setTimer(parameters.requestTimeoutMs, () =>
        fail(new CoordinationError('COORDINATION_UNAVAILABLE', `no answer to ${what} in time`)),
      )
      this.#pending.add(fail)
      let arrivals = 0
      this.#send(what, (server) => {
        const settle = outcomeOf(() => perform(server), resolve, reject)
        // What arrives twice is answered once: the second answer would be about the first effect.
        if (arrivals++ === 0) this.#answer(server, what, () => finish(settle))
      })
    })
  }

  #answer(server: SimulatedLog, what: string, answer: () => void): void {
    const { wire, process } = this.#options
    const to = () => process
    wire.send(server.process!, process.host.name, to, `${what} answer`, messageBytes, answer)
  }

  #send(what: string, run: (server: SimulatedLog) => void): void {
    const { wire, server, process } = this.#options
    wire.send(
      process,
      logHost,
      () => server.process,
      what,
      messageBytes,
      () => run(server),
    )
  }

  #skip(skip: () => void): void {
    this.#options.onSkip(true)
    skip()
    this.#options.onSkip(false)
  }

  #give({ sequence, bytes }: LogEntry): void {
    if (!this.#given.has(sequence)) this.#given.set(sequence, bytes)
  }

  #noteOutcome({ sequence, bytes }: LogEntry): void {
    this.#give({ sequence, bytes })
    this.#sequence = Math.max(this.#sequence, sequence)
    if (this.#unknown?.sequence !== sequence) return
    const isOwn = Buffer.from(bytes).equals(this.#unknown.bytes)
    const outcome = isOwn ? 'committed' : 'a conflict'
    this.#options.reached(`append: unknown outcome was ${outcome}`)
    this.#unknown = undefined
  }

  /** Each entry names the digest of its predecessor (log/chain.ts). */
  #checkFollows(entry: LogEntry): void {
    const last = this.#last
    if (last !== undefined && entry.sequence <= last.sequence) return
    this.#last = entry
    if (last?.sequence !== entry.sequence - 1) return
    const digest = hash('sha256', last.bytes, 'buffer').subarray(0, 16)
    if (!digest.equals(Buffer.from(entry.bytes).subarray(2, 18))) {
      this.#options.onForeign(entry.sequence)
    }
  }

  #noteAbandoned({ sequence }: Append): void {
    if (this.#unknown === undefined || this.#unknown.sequence === sequence) return
    this.#options.reached('append: abandoned at a snapshot')
    this.#unknown = undefined
  }
}

function outcomeOf<T>(
  perform: () => T,
  resolve: (result: T) => void,
  reject: (error: unknown) => void,
): () => void {
  try {
    const result = perform()
    return () => resolve(result)
  } catch (error) {
    if (!(error instanceof CoordinationError)) throw error
    return () => reject(error)
  }
}
