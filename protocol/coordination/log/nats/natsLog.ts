// The coordination log on a JetStream stream, appended to with the expected last sequence of the
// whole stream (natsStreams.ts has the layout). What JetStream answers is not trusted further than
// it goes: "wrong last sequence" may mean an entry that is not committed yet, so a conflict is only
// reported when the other entry can be read; a missing answer is an unknown outcome.
//
// Must never resolve an append with `appended` unless the stream's leader said so or the very bytes
// were read from the stream, and never read from anything but the leader.

import { assert } from '../../../runtime/assert.ts'
import type { Random } from '../../../runtime/random.ts'
import { randomUuid, uuidText } from '../../../runtime/random.ts'
import { type Clock, sleep } from '../../../runtime/time/clock.ts'
import { CoordinationError } from '../../coordinationError.ts'
import type {
  AppendOutcome,
  CoordinationLog,
  LogEntry,
  LogHistory,
  LogListener,
  LogPosition,
  LogSnapshot,
} from '../coordinationLog.ts'
import { beyondEnd, closedLog, trimmedAway } from '../logRefusals.ts'
import { lookAt, openNewest, readEntries } from './natsEntries.ts'
import { apiCodeOf, apiCodes } from './natsFailure.ts'
import type { NatsLink } from './natsLink.ts'
import { NatsSnapshots } from './natsSnapshots.ts'
import { checkLogName, type EntriesStream, subjects } from './natsStreams.ts'
import { NatsSubscription } from './natsSubscription.ts'

export interface NatsLogOptions {
  readonly clock: Clock
  readonly random: Random
  /** Entries before a snapshot that are kept for members that are a little behind. */
  readonly keptEntries?: number
  /** Time between two looks at the stream, in ms. */
  readonly checkIntervalMs?: number
  /** How long a loss must be seen before it counts, in ms. */
  readonly confirmMs?: number
}

const defaultKeptEntries = 4096
const defaultCheckIntervalMs = 1000
/**
 * A leader that was cut off steps down within 20 s (lostQuorumInterval and lostQuorumCheck in
 * nats-server's raft.go); a server alone has no other leader.
 */
const replicatedConfirmMs = 25_000
/** Trims that may happen while the log is loaded. */
const maxLoads = 5
const maxClaimBytes = 4096
/** Servers accept messages of 1 MiB (natsServers.ts); some of that is for headers. */
const maxEntryBytes = 1020 * 1024
/** Pause before an append that had no effect, or whose effect is not known yet, is tried again. */
const retryMs = 50

/** `trimmed`: the log had an entry there, which a snapshot has replaced. */
type AttemptOutcome = AppendOutcome | 'trimmed' | CoordinationError

export class NatsLog implements CoordinationLog {
  readonly isShared = true
  readonly appliesLate = true
  readonly #link: NatsLink
  readonly #name: string
  readonly #options: NatsLogOptions
  readonly #replicas: number
  readonly #confirmMs: number
  readonly #snapshots: NatsSnapshots
  readonly #subscriptions = new Set<NatsSubscription>()
  readonly #claimEndings = new Set<() => void>()
  #stream: EntriesStream | undefined
  /** The last entry that this member knows to be durable, or another one claims. */
  #known = 0
  /** Since when the log seems to end before an entry that must be there. */
  #shortSinceMs: number | undefined
  #claimant: string | undefined
  #isClosed = false

  /** Takes over the link. `replicas`: 3 in a cluster, 1 on a server alone (natsServers.ts). */
  constructor(link: NatsLink, name: string, replicas: number, options: NatsLogOptions) {
    checkLogName(name)
    this.#link = link
    this.#name = name
    this.#replicas = replicas
    this.#options = options
    this.#snapshots = new NatsSnapshots(link, name, replicas)
    this.#confirmMs = options.confirmMs ?? (replicas > 1 ? replicatedConfirmMs : 0)
  }

  async load(): Promise<LogHistory> {
    this.#checkOpen()
    await this.#snapshots.create()
    for (let attempt = 1; ; attempt++) {
      const stream = await openNewest(this.#link, this.#name, this.#replicas, this.#options.random)
      const history = await this.#historyOf(stream)
      if (history !== undefined) {
        this.#stream = stream
        this.#known = history.lastSequence
        return history
      }
      if (attempt === maxLoads) throw this.#incomplete(stream)
      await sleep(this.#options.clock, retryMs)
    }
  }

  /** Undefined if entries after the snapshot are missing, as after a trim by another member. */
  async #historyOf(stream: EntriesStream): Promise<LogHistory | undefined> {
    const { identity, lastSequence } = stream
    const snapshot = await this.#snapshots.newest(identity.id)
    // A repaired log begins with the snapshot of the repair.
    if (snapshot === undefined && identity.generation > 1) return undefined
    const after = snapshot?.sequence ?? 0
    if (after > lastSequence) return undefined
    const entries = await readEntries(this.#link, stream, after + 1, lastSequence)
    if (entries.length !== lastSequence - after) return undefined
    return { identity, snapshot, entries, lastSequence }
  }

  #incomplete({ stream, firstSequence, lastSequence }: EntriesStream): CoordinationError {
    return new CoordinationError(
      'COORDINATION_DAMAGED',
      `the stream ${stream} has the entries from ${firstSequence} to ${lastSequence}, and no ` +
        'snapshot goes with them: entries or snapshots were lost; repair the log from the copy of a ' +
        'process that has them',
    )
  }

  async append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    assert(bytes.length <= maxEntryBytes, 'an entry fits into a message of NATS')
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + this.#link.requestTimeoutMs
    for (let isRepeated = false; ; isRepeated = true) {
      const stream = this.#opened()
      const outcome = await this.#attempt(stream, sequence, bytes)
      if (outcome === 'trimmed') {
        // The entry that was trimmed may be this very one, after an attempt without an answer.
        if (isRepeated) throw trimmedAway(sequence - 1, sequence + 1)
        return 'conflict'
      }
      if (typeof outcome === 'string') return outcome
      if (clock.monotonicMs() >= untilMs) throw outcome
      await sleep(clock, retryMs)
    }
  }

  /** Returns a failure after which the same append may be tried again; throws other ones. */
  async #attempt(
    stream: EntriesStream,
    sequence: number,
    bytes: Uint8Array,
  ): Promise<AttemptOutcome> {
    const expectation = { stream: stream.stream, lastSequence: sequence - 1 }
    try {
      const { seq } = await this.#link.append(stream.subject, bytes, expectation)
      if (seq !== sequence) throw misplaced(stream, sequence, seq)
      return this.#appended(sequence)
    } catch (error) {
      if (apiCodeOf(error) === apiCodes.wrongLastSequence) {
        return await this.#resolve(stream, sequence, bytes)
      }
      this.#checkSubscriptions()
      if (error instanceof CoordinationError && isTransient(error)) return error
      throw error
    }
  }

  #appended(sequence: number): AppendOutcome {
    this.#known = Math.max(this.#known, sequence)
    return 'appended'
  }

  #checkSubscriptions(): void {
    for (const subscription of this.#subscriptions) subscription.check()
  }

  /** The leader has another last sequence: which entry is at `sequence`? */
  async #resolve(
    stream: EntriesStream,
    sequence: number,
    bytes: Uint8Array,
  ): Promise<AttemptOutcome> {
    const [found] = await readEntries(this.#link, stream, sequence, sequence)
    if (found !== undefined) {
      // An earlier attempt with the same bytes may have got there.
      return Buffer.from(found.bytes).equals(bytes) ? this.#appended(sequence) : 'conflict'
    }
    this.#checkSubscriptions()
    const now = await lookAt(this.#link, this.#name, stream.stream)
    const last = now?.lastSequence ?? 0
    if (now !== undefined && sequence < now.firstSequence) return 'trimmed'
    if (this.#isShort(last, sequence - 1)) throw beyondEnd(sequence, last)
    return new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `cannot append entry ${sequence}: the leader of ${stream.stream} ends at ${last} and refuses ` +
        'it; the outcome is not known yet',
    )
  }

  /**
   * Whether the log certainly ends before an entry that must be there: a leader that was replaced
   * may say so for some seconds.
   */
  #isShort(last: number, expected: number): boolean {
    if (last >= expected) {
      this.#shortSinceMs = undefined
      return false
    }
    const nowMs = this.#options.clock.monotonicMs()
    this.#shortSinceMs ??= nowMs
    return nowMs - this.#shortSinceMs >= this.#confirmMs
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    const { clock, checkIntervalMs = defaultCheckIntervalMs } = this.#options
    const subscription = new NatsSubscription(
      {
        link: this.#link,
        name: this.#name,
        stream: this.#opened(),
        snapshots: this.#snapshots,
        clock,
        checkIntervalMs,
        confirmMs: this.#confirmMs,
      },
      sequence,
      listener,
    )
    this.#subscriptions.add(subscription)
    return () => {
      this.#subscriptions.delete(subscription)
      subscription.end()
    }
  }

  async read(sequence: number): Promise<readonly LogEntry[]> {
    const opened = this.#opened()
    // Before the request: what becomes known later may be newer than its answer.
    const known = Math.max(this.#known, ...[...this.#subscriptions].map((one) => one.delivered))
    const now = await lookAt(this.#link, this.#name, opened.stream)
    const isSame = now?.identity.id === opened.identity.id
    const last = isSame ? now.lastSequence : 0
    if (!isSame || (last < known && !this.#isShort(last, known))) {
      throw new CoordinationError(
        'COORDINATION_UNAVAILABLE',
        `cannot read the coordination log: NATS says that ${opened.stream} ends at ${last}, ` +
          `although entry ${known} is known: its leader is behind, or entries were lost`,
      )
    }
    if (sequence + 1 < now.firstSequence) throw trimmedAway(sequence, now.firstSequence)
    const entries = await readEntries(this.#link, now, sequence + 1, now.lastSequence)
    if (entries.length < now.lastSequence - sequence) {
      throw trimmedAway(sequence, sequence + entries.length + 1)
    }
    return entries
  }

  async writeSnapshot(snapshot: LogSnapshot): Promise<void> {
    const { identity, stream } = this.#opened()
    const newest = await this.#snapshots.newestSequence(identity.id)
    if (newest !== undefined && newest >= snapshot.sequence) return
    const now = await lookAt(this.#link, this.#name, stream)
    if (now === undefined || now.lastSequence < snapshot.sequence) {
      throw beyondEnd(snapshot.sequence, now?.lastSequence ?? 0)
    }
    const writer = uuidText(randomUuid(this.#options.random))
    await this.#snapshots.write(identity.id, snapshot, writer)
    const { keptEntries = defaultKeptEntries } = this.#options
    const first = snapshot.sequence - keptEntries + 1
    if (first <= now.firstSequence) return
    await this.#link.api('trim the coordination log', (streams) =>
      streams.purge(stream, { seq: first }),
    )
  }

  claim(position: LogPosition): void {
    if (this.#isClosed) return
    this.#claimant = position.member
    const bytes = Buffer.from(JSON.stringify(position))
    this.#link.publish(subjects.claims(this.#name), bytes)
  }

  onClaim(listener: (position: LogPosition) => void): () => void {
    const subject = subjects.claims(this.#name)
    const end = this.#link.listen(subject, ({ data }) => {
      const position = data.length > maxClaimBytes ? undefined : claimOf(data)
      if (position === undefined || position.member === this.#claimant) return
      if (position.id === this.#stream?.identity.id) {
        this.#known = Math.max(this.#known, position.sequence)
      }
      listener(position)
    })
    this.#claimEndings.add(end)
    return () => {
      this.#claimEndings.delete(end)
      end()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const subscription of this.#subscriptions) subscription.end()
    for (const end of this.#claimEndings) end()
    this.#subscriptions.clear()
    this.#claimEndings.clear()
    await this.#link.close()
  }

  #opened(): EntriesStream {
    this.#checkOpen()
    if (this.#stream !== undefined) return this.#stream
    throw new CoordinationError('COORDINATION_UNAVAILABLE', 'the coordination log is not loaded')
  }

  #checkOpen(): void {
    if (this.#isClosed) throw closedLog()
  }
}

/** The same bytes at the same place can be appended again: they get there once. */
function isTransient({ code }: CoordinationError): boolean {
  return code === 'COORDINATION_UNAVAILABLE'
}

/** Undefined for a message that is no claim: anybody may publish on the subject. */
function claimOf(bytes: Uint8Array): LogPosition | undefined {
  let value: Partial<Record<keyof LogPosition, unknown>> | null
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { id, sequence, digest, member } = value
  if (typeof id !== 'string' || typeof digest !== 'string' || typeof member !== 'string') return
  return Number.isSafeInteger(sequence)
    ? { id, sequence: sequence as number, digest, member }
    : undefined
}

function misplaced(stream: EntriesStream, sequence: number, actual: number): CoordinationError {
  return new CoordinationError(
    'COORDINATION_DAMAGED',
    `entry ${sequence} was stored as ${actual} in ${stream.stream}: NATS ignored the expected last ` +
      'sequence; repair the log from the copy of a process',
  )
}
