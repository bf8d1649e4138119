// Proposes commands to the metadata log, one at a time: decides on the folded state, appends with
// the next sequence, and answers when the entry has been folded. The state changes only by folding
// what the log delivers. If the log has an entry of another proposer at that sequence, the decision
// is made again on the state after it.
//
// A rejected append has an unknown outcome. Nothing is decided until the log has been read or has
// delivered the entry: otherwise the same name or id could be given out twice. An entry is
// recognized by the identity of its proposal, because another node may have proposed an equal
// command. While the log cannot be read, each proposal is refused; proposals need no restart to
// work again. If the log cannot be used any more, the broker has to stop.

import { CoordinationError } from '../../../protocol/coordination/coordinationError.ts'
import { AssertionError, assert } from '../../../protocol/runtime/assert.ts'
import type { RarePoints } from '../../../protocol/runtime/rarePoints.ts'
import type { Clock, Timer } from '../../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../../protocol/telemetry/logging/logger.ts'
import { BrokerError } from '../../errors.ts'
import { isDiskFailure, isPassing } from '../../log/logError.ts'
import {
  formatVersion,
  type MetadataCommand,
  type MetadataEntry,
  type ProposalId,
} from './metadataCommand.ts'
import type { MetadataFold } from './metadataFold.ts'
import type { MetadataLog, StoredEntry } from './metadataLog.ts'

/** The decision: a command to commit and the answer once it is folded, or an immediate answer. */
export type Decided<Answer> =
  | { readonly command: MetadataCommand; readonly committed: () => Answer }
  | { readonly answer: Answer }

export interface ProposalsOptions {
  readonly log: MetadataLog
  readonly fold: MetadataFold
  readonly clock: Clock
  readonly logger: Logger
  /** A random UUID of this incarnation of the broker. */
  readonly incarnation: string
  /** Called once, when the log cannot be used any more and the broker should stop. */
  readonly onFailure: (cause: unknown) => void
  /** Further proposals are refused: each one waits for the appends of those before it. */
  readonly maxPending?: number
  readonly rarePoints?: RarePoints | undefined
}

/** An append until its entry, or one of another proposer at its sequence, has been folded. */
interface Attempt {
  readonly sequence: number
  readonly proposal: ProposalId
  outcome: 'committed' | 'conflict' | undefined
}

/** Number of entries after which the log is replaced by a snapshot. */
const entriesPerSnapshot = 1000
/** After a failed snapshot, number of entries until the next one is due. */
const entriesUntilRetry = 100
/** Interval between attempts to find out the outcome of a rejected append. */
const settleIntervalMs = 1000
/** A second append may use the space that the log freed after the first one. */
const appendsPerProposal = 2
const defaultMaxPending = 100_000

export class Proposals {
  readonly #options: ProposalsOptions
  readonly #unsubscribe: () => void
  #queue: Promise<unknown> = Promise.resolve()
  #proposed = 0
  #pending = 0
  #attempt: Attempt | undefined
  /**
   * The log must be read before the next decision: an outcome is unknown, or a write has failed.
   */
  #mustRead = false
  /** Number of entries since the last snapshot at which the next one is due. */
  #snapshotDue = entriesPerSnapshot
  #settleTimer: Timer | undefined
  #failure: unknown

  constructor(options: ProposalsOptions) {
    this.#options = options
    const { log, fold } = options
    this.#unsubscribe = log.subscribe(fold.nextSequence, (sequence, entry) =>
      this.#deliver(sequence, entry),
    )
  }

  /** Proposals that are not answered yet, the one being appended included. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Resolves with the answer when the command is durable and folded. `decide` is pure, sees the
   * folded state, and is called again after a conflict. Rejects with a BrokerError
   * METADATA_UNAVAILABLE when too many proposals are pending, and when the command may not have
   * been committed; then it may also be committed later.
   */
  async propose<Answer>(decide: () => Decided<Answer>): Promise<Answer> {
    const { maxPending = defaultMaxPending } = this.#options
    if (this.#pending >= maxPending) throw tooManyPending(maxPending)
    this.#pending++
    try {
      return await this.#inTurn(() => this.#decide(decide))
    } finally {
      this.#pending--
    }
  }

  /** Waits for earlier proposals, then closes the log. Later proposals are refused. */
  close(): Promise<void> {
    return this.#inTurn(async () => {
      this.#settleTimer?.cancel()
      this.#unsubscribe()
      // A store that is used after it was closed would be reopened, and locked again.
      this.#failure ??= new Error('the metadata log is closed')
      await this.#options.log.close()
    })
  }

  async #decide<Answer>(decide: () => Decided<Answer>): Promise<Answer> {
    // A conflict means that another node's proposal succeeded, so some node always progresses.
    for (;;) {
      await this.#settle()
      const decided = decide()
      if ('answer' in decided) return decided.answer
      if (!(await this.#commit(decided.command))) continue
      const answer = decided.committed()
      await this.#compactIfLong()
      return answer
    }
  }

  #deliver(sequence: number, stored: StoredEntry): void {
    let entry: MetadataEntry
    try {
      entry = this.#options.fold.fold(sequence, stored)
    } catch (error) {
      // An entry of a later release: the entries after it cannot be folded either.
      if (error instanceof BrokerError) this.#fail(error)
      throw error
    }
    const attempt = this.#attempt
    if (attempt?.sequence !== sequence) return
    attempt.outcome = isSame(entry.proposal, attempt.proposal) ? 'committed' : 'conflict'
  }

  /** Returns whether the command was committed; false if another entry has its sequence. */
  async #commit(command: MetadataCommand): Promise<boolean> {
    const { incarnation, fold } = this.#options
    const sequence = fold.nextSequence
    const proposal = { incarnation, number: ++this.#proposed }
    const attempt: Attempt = { sequence, proposal, outcome: undefined }
    this.#attempt = attempt
    const entry: MetadataEntry = { version: formatVersion, proposal, command }
    let rejection: unknown
    for (let append = 1; append <= appendsPerProposal; append++) {
      rejection = await this.#append(sequence, entry)
      if (attempt.outcome === undefined) this.#mustRead = true
      await this.#settle()
      if (attempt.outcome !== undefined) return attempt.outcome === 'committed'
      assert(rejection !== undefined, 'an answered append is decided after the log was read')
      // No entry has its sequence: the state is still the one that was decided on.
    }
    throw unavailable(rejection)
  }

  /** Returns why the append was rejected; undefined if it was answered. */
  async #append(sequence: number, entry: MetadataEntry): Promise<unknown> {
    try {
      await this.#options.log.append(sequence, entry)
      return undefined
    } catch (cause) {
      if (cause instanceof AssertionError) throw cause
      if (isDiskFailure(cause)) this.#fail(cause)
      return cause
    }
  }

  /** Reads the log if an outcome is unknown. Throws a BrokerError while it remains unknown. */
  async #settle(): Promise<void> {
    if (this.#failure !== undefined) throw unavailable(this.#failure)
    if (!this.#mustRead) return
    const { log, fold } = this.#options
    const from = fold.nextSequence
    let read: readonly StoredEntry[]
    try {
      read = await log.read(from)
    } catch (cause) {
      if (cause instanceof AssertionError) throw cause
      if (isPassing(cause) || isOutage(cause)) this.#settleLater()
      else this.#fail(cause)
      throw unavailable(cause)
    }
    assert(
      fold.nextSequence >= from + read.length,
      'the entries that were read have been delivered',
    )
    this.#mustRead = false
  }

  #settleLater(): void {
    if (this.#settleTimer) return
    this.#settleTimer = this.#options.clock.setTimer(settleIntervalMs, () => {
      this.#settleTimer = undefined
      // A failure has started the timer again, or stops the broker.
      void this.#inTurn(() => this.#settle()).catch((error: unknown) => {
        if (error instanceof AssertionError) throw error
      })
    })
  }

  #fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = cause
    this.#options.onFailure(cause)
  }

  /** The entries are durable without a snapshot: one that cannot be written is retried later. */
  async #compactIfLong(): Promise<void> {
    const { log, fold, logger, rarePoints } = this.#options
    const isLong = fold.entriesSinceSnapshot >= this.#snapshotDue
    if (!isLong && !rarePoints?.isForced('metadata snapshot')) return
    const sequence = fold.nextSequence
    try {
      await log.compact(sequence, fold.snapshot())
      fold.snapshotWritten(sequence)
      this.#snapshotDue = entriesPerSnapshot
    } catch (error) {
      if (error instanceof AssertionError) throw error
      this.#mustRead = true
      if (isDiskFailure(error)) this.#fail(error)
      this.#snapshotDue = fold.entriesSinceSnapshot + entriesUntilRetry
      logger.error({ error }, 'failed to write the metadata snapshot; retrying')
    }
  }

  /** Runs tasks one after another; a failed one does not stop later ones. */
  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(task)
    this.#queue = result.then(
      () => undefined,
      () => undefined,
    )
    return result
  }
}

/** Coordination cannot be reached, or is damaged until somebody repairs it. */
function isOutage(cause: unknown): boolean {
  return cause instanceof CoordinationError && cause.code !== 'COORDINATION_CLOSED'
}

function isSame(a: ProposalId | undefined, b: ProposalId): boolean {
  return a !== undefined && a.incarnation === b.incarnation && a.number === b.number
}

function tooManyPending(maxPending: number): BrokerError {
  return new BrokerError(
    'METADATA_UNAVAILABLE',
    `${maxPending} changes of the metadata are pending: the change was not made; try again later`,
  )
}

function unavailable(cause: unknown): BrokerError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const remedy = isOutage(cause)
    ? 'check coordination, then retry'
    : 'free disk space, or raise the limit of open files, then retry'
  return new BrokerError(
    'METADATA_UNAVAILABLE',
    `failed to write the metadata log (${reason}): the change may not have been made; ${remedy}`,
    cause,
  )
}
