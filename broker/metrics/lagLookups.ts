// Computes the lag of groups in seconds: reads the timestamp of the next record of each group from
// the logs, in the background. An exposition waits for the lookups up to a bound; lookups that take
// longer finish later and appear in the next exposition. Nothing is read while nobody scrapes.

import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import type { PartitionLag } from './groupSnapshot.ts'
import { nextTimestamp } from './nextTimestamp.ts'

/** How long an exposition waits for lookups. */
const patienceMs = 250
/** Consecutive reads before a pause that leaves the disk to others; each reads one batch. */
const readsAtATime = 50
const pauseMs = 100

export class LagLookups {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #hasFailed = false

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  /** Looks up all outdated lags. Resolves when all are up to date, or after `patienceMs`. */
  async refresh(lags: Iterable<PartitionLag>): Promise<void> {
    if (this.#stop.signal.aborted) return
    const due = [...lags].filter(isDue)
    if (due.length === 0) return
    this.#running ??= this.#lookUp(due).finally(() => {
      this.#running = undefined
    })
    const patience = new AbortController()
    await Promise.race([this.#running, sleep(this.#clock, patienceMs, patience.signal)])
    patience.abort()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #lookUp(due: readonly PartitionLag[]): Promise<void> {
    const { signal } = this.#stop
    for (const [index, lag] of due.entries()) {
      if (signal.aborted) return
      await this.#lookUpOne(lag)
      const isPause = index % readsAtATime === readsAtATime - 1
      if (isPause && index < due.length - 1) await sleep(this.#clock, pauseMs, signal)
    }
  }

  async #lookUpOne(lag: PartitionLag): Promise<void> {
    const { log } = lag.source
    const offset = nextOffset(lag)
    if (!log) return
    try {
      const timestampMs = (await nextTimestamp(log, offset)) ?? -1
      const atMs = this.#clock.monotonicMs()
      const lagSeconds = secondsSince(timestampMs, this.#clock.nowMs())
      lag.lookedUp = { offset, timestampMs, atMs, lagSeconds }
    } catch (error) {
      // The log's reader reports the failure too, so it is logged only once here.
      if (!this.#hasFailed)
        this.#logger.warn(
          { error },
          'failed to read the timestamp for the lag of a group; its lag in seconds is unknown',
        )
      this.#hasFailed = true
    }
  }
}

/**
 * The offset the group reads next: its committed offset, or the log start offset if that was
 * deleted.
 */
function nextOffset({ committed, source }: PartitionLag): number {
  return Math.max(committed, source.logStartOffset)
}

function isDue(lag: PartitionLag): boolean {
  return lag.lag > 0 && lag.source.log !== undefined && lag.lookedUp?.offset !== nextOffset(lag)
}

function secondsSince(timestampMs: number, nowMs: number): number {
  return Math.max(0, nowMs - timestampMs) / 1000
}

/**
 * Returns the known lag in seconds; undefined if none is known. Exact, unless the group has
 * committed since the record was looked up: then it is the lag at that time.
 */
export function lagSecondsOf(lag: PartitionLag, nowMs: number): number | undefined {
  if (lag.lag === 0) return 0
  const { lookedUp } = lag
  if (!lookedUp || lookedUp.timestampMs < 0) return undefined
  return isDue(lag) ? lookedUp.lagSeconds : secondsSince(lookedUp.timestampMs, nowMs)
}

/** How long the lag in seconds has been out of date. */
export function stalenessSecondsOf(lag: PartitionLag, monotonicMs: number): number {
  if (!isDue(lag)) return 0
  return Math.max(0, monotonicMs - (lag.lookedUp?.atMs ?? lag.sinceMs)) / 1000
}
