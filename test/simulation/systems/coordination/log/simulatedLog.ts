// The log of a simulated run: a server on a host of its own, whose contents outlive its process.
// It answers requests, tells followers of new entries as they are appended, and passes claims on.
// What it tells may get lost: a follower asks again (remoteLog.ts). It can be damaged in the ways
// in which JetStream was in public tests.
//
// An append is bound to the identity of the log, as the subject of a stream is on NATS.

import { CoordinationError } from '../../../../../protocol/coordination/coordinationError.ts'
import type {
  AppendOutcome,
  LogEntry,
  LogHistory,
  LogIdentity,
  LogPosition,
  LogSnapshot,
} from '../../../../../protocol/coordination/log/coordinationLog.ts'
import { MemoryLogState } from '../../../../../protocol/coordination/log/memoryLogState.ts'
import { type Random, randomUuid, uuidText } from '../../../../../protocol/runtime/random.ts'
import type { SimulatedProcess } from '../../../world/simulatedProcess.ts'
import type { LogParameters } from '../coordinationParameters.ts'
import type { LogWire } from './logWire.ts'

export const logHost = 'log'
export const logProcess = 'log'

/** The follower's view of the log. */
export interface LogView {
  readonly identity: LogIdentity
  readonly lastSequence: number
  /** If entries that the follower does not have are only in a snapshot. */
  readonly snapshot: LogSnapshot | undefined
  readonly entries: readonly LogEntry[]
}

export interface Append {
  readonly id: string
  readonly sequence: number
  readonly bytes: Uint8Array
  /** Whether the member does not wait for the answer any more. */
  isAbandoned: boolean
}

export interface Follower {
  readonly process: SimulatedProcess
  entry(id: string, entry: LogEntry): void
  hearClaim(position: LogPosition): void
}

/** Hears what takes effect, at once. */
export interface LogObserver {
  appended(entry: LogEntry, isLate: boolean): void
  snapshotWritten(snapshot: LogSnapshot): void
}

const entryBytes = 200
/** An entry of fewer bytes is a heartbeat, which would change no tree. */
const leastForkBytes = 130

export class SimulatedLog {
  readonly state: MemoryLogState
  readonly #parameters: LogParameters
  readonly #wire: LogWire
  readonly #random: Random
  readonly #observer: LogObserver
  readonly #followers = new Set<Follower>()
  /** Hosts to which nothing is delivered, with how many reasons. */
  readonly #broken = new Map<string, number>()
  #onFork: (() => void) | undefined
  process: SimulatedProcess | undefined

  constructor(parameters: LogParameters, wire: LogWire, random: Random, observer: LogObserver) {
    this.#parameters = parameters
    this.#wire = wire
    this.#random = random
    this.#observer = observer
    this.state = new MemoryLogState(this.#newIdentity(), parameters.keptEntries)
  }

  /** A process that serves the log from now on; its followers have to come back. */
  served(process: SimulatedProcess): void {
    this.process = process
    this.#followers.clear()
  }

  breakSubscriptions(host: string): () => void {
    this.#broken.set(host, (this.#broken.get(host) ?? 0) + 1)
    return () => void this.#broken.set(host, this.#broken.get(host)! - 1)
  }

  append(request: Append): AppendOutcome {
    const { id, sequence, bytes, isAbandoned } = request
    this.#checkIdentity(id)
    if (this.#parameters.comparesEntries && this.#has(sequence, bytes)) return 'appended'
    const outcome = this.state.append(sequence, bytes)
    if (outcome === 'appended') {
      this.#observer.appended(this.state.entry(sequence), isAbandoned)
      this.#forkIfDue()
      const entry = this.state.entry(sequence)
      for (const follower of this.#followers) this.#tell(follower, entry)
    }
    return outcome
  }

  read(id: string, sequence: number): readonly LogEntry[] {
    this.#checkIdentity(id)
    return this.state.entriesAfter(sequence)
  }

  writeSnapshot(id: string, snapshot: LogSnapshot): void {
    this.#checkIdentity(id)
    const before = this.state.snapshot
    this.state.writeSnapshot(snapshot)
    if (this.state.snapshot !== before) this.#observer.snapshotWritten(snapshot)
  }

  /** Undefined while the subscriptions of the host are broken. */
  follow(follower: Follower, sequence: number): LogView | undefined {
    if (this.#isBroken(follower)) return undefined
    this.#followers.add(follower)
    const { identity, lastSequence, firstSequence, snapshot } = this.state
    const isTrimmed = sequence + 1 < firstSequence
    const from = isTrimmed ? (snapshot?.sequence ?? 0) : sequence
    const entries = from < lastSequence ? this.state.entriesAfter(from) : []
    return { identity, lastSequence, snapshot: isTrimmed ? snapshot : undefined, entries }
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower)
  }

  claim(from: Follower, position: LogPosition): void {
    for (const follower of this.#followers) {
      if (follower !== from) this.#send(follower, 'claim', () => follower.hearClaim(position))
    }
  }

  /** Damage: entries after the snapshot are lost, although their appends were acknowledged. */
  loseSuffix(count: number): number {
    const { lastSequence, firstSequence, snapshot } = this.state
    const least = Math.max(firstSequence - 1, snapshot?.sequence ?? 0)
    const lost = Math.min(count, lastSequence - least)
    if (lost > 0) this.state.loseSuffix(lost)
    return lost
  }

  /** Damage: the next entry is another one for everyone but the member that has appended it. */
  forkNext(onFork: () => void): void {
    this.#onFork = onFork
  }

  forkNever(): void {
    this.#onFork = undefined
  }

  #forkIfDue(): void {
    const onFork = this.#onFork
    const bytes = Buffer.from(this.state.entry(this.state.lastSequence).bytes)
    if (onFork === undefined || bytes.length < leastForkBytes) return
    this.#onFork = undefined
    bytes[bytes.length - 1 - this.#random.below(8)]! ^= 1
    this.state.fork(bytes)
    onFork()
  }

  /** Damage: the log is created anew, empty. */
  recreate(): void {
    this.repair({
      ...{ identity: this.#newIdentity(), snapshot: undefined, entries: [], lastSequence: 0 },
    })
  }

  repair(history: LogHistory): void {
    this.state.replace(history)
  }

  #has(sequence: number, bytes: Uint8Array): boolean {
    const { firstSequence, lastSequence } = this.state
    if (sequence < firstSequence || sequence > lastSequence) return false
    return Buffer.from(this.state.entry(sequence).bytes).equals(bytes)
  }

  #tell(follower: Follower, entry: LogEntry): void {
    const { id } = this.state.identity
    if (!this.#isBroken(follower)) this.#send(follower, 'entry', () => follower.entry(id, entry))
  }

  #send({ process }: Follower, what: string, run: () => void): void {
    this.#wire.send(this.process!, process.host.name, () => process, what, entryBytes, run)
  }

  #isBroken({ process }: Follower): boolean {
    return (this.#broken.get(process.host.name) ?? 0) > 0
  }

  #checkIdentity(id: string): void {
    if (id === this.state.identity.id) return
    throw new CoordinationError('COORDINATION_UNAVAILABLE', `there is no log ${id}`)
  }

  #newIdentity(): LogIdentity {
    return { generation: 1, id: uuidText(randomUuid(this.#random)) }
  }
}
