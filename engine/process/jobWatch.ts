// Watches a job from the main thread of its process: polls its status once a second, and measures
// how long the driver has not answered. Metrics and health are based on it. They must never wait
// for a driver that the job's code blocks.

import { type CodedReason, healthOf, type ProgramHealth } from '../../protocol/operations/health.ts'
import type { Clock, Timer } from '../../protocol/runtime/time/clock.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'
import type { ServedJob } from '../address/servedJob.ts'
import { type JobReasonCode, jobReasons } from './jobReasons.ts'

const intervalMs = 1_000
/** A driver may compute for this long between two batches. */
const heldAfterMs = 3_000
const stuckAfterMs = 60_000
const leastSlowMs = 30_000
const slowIntervals = 10
const leastBehindMs = 10_000
const behindIntervals = 3

type Reason = CodedReason<JobReasonCode>

export class JobWatch {
  readonly health: ProgramHealth = healthOf(jobReasons, () => this.#reasons())
  readonly #clock: Clock
  #job: ServedJob | undefined
  #timer: Timer | undefined
  #status: JobStatus | undefined
  /** Time of the newest answer, or of the first question since; undefined while no job runs. */
  #heardMonotonicMs: number | undefined
  #isStopping = false
  #failure: { readonly message: string; readonly sinceMs: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The newest status; undefined before the first one. */
  get status(): JobStatus | undefined {
    return this.#status
  }

  /** Starts watching a job. */
  begin(job: ServedJob): void {
    this.#job = job
    this.#isStopping = false
    this.#failure = undefined
    this.#heardMonotonicMs = this.#clock.monotonicMs()
    void this.#ask(job)
  }

  stopping(): void {
    this.#isStopping = true
  }

  /** Stops watching the job; `failure` is set unless it was stopped. */
  end(failure?: Error): void {
    this.#timer?.cancel()
    this.#job = undefined
    this.#heardMonotonicMs = undefined
    this.#failure = failure && { message: failure.message, sinceMs: this.#clock.nowMs() }
  }

  close(): void {
    this.end()
  }

  async #ask(job: ServedJob): Promise<void> {
    try {
      const status = await job.call('status', undefined)
      if (this.#job !== job) return
      this.#status = status
      this.#heardMonotonicMs = this.#clock.monotonicMs()
    } catch {
      // The time since the driver last answered is measured elsewhere.
    }
    if (this.#job !== job) return
    this.#timer = this.#clock.setTimer(intervalMs, () => void this.#ask(job))
  }

  #reasons(): Reason[] {
    if (this.#failure) {
      const { message, sinceMs } = this.#failure
      return [{ code: 'JOB_FAILED', message, sinceMs }]
    }
    if (this.#isStopping) {
      return [{ code: 'STOPPING', message: 'the job is stopping' }]
    }
    if (this.#job === undefined) return [{ code: 'STARTING', message: 'the job is starting' }]
    const held = this.#held()
    // The last status of a blocked driver is stale.
    return held ? [held] : this.#ofStatus()
  }

  #held(): Reason | undefined {
    const heldMs = this.#clock.monotonicMs() - (this.#heardMonotonicMs ?? 0)
    if (heldMs < heldAfterMs) return undefined
    const message =
      `the driver has not answered for ${duration(heldMs)}: the job's code is blocking its thread ` +
      '(an endless loop in foreachRDD?)'
    const sinceMs = this.#clock.nowMs() - heldMs
    return { code: heldMs < stuckAfterMs ? 'DRIVER_HELD' : 'DRIVER_STUCK', message, sinceMs }
  }

  #ofStatus(): Reason[] {
    const status = this.#status
    if (status === undefined) return []
    const reasons: Reason[] = []
    if (status.waiting !== undefined) {
      reasons.push({ code: 'TOPICS_UNREADABLE', message: status.waiting })
    }
    if (status.failing !== undefined) {
      reasons.push({ code: 'OUTPUT_FAILING', message: status.failing })
    }
    reasons.push(...this.#ofRunning(status), ...behind(status))
    return reasons
  }

  #ofRunning({ running, batchIntervalMs, timeMs }: JobStatus): Reason[] {
    if (running === undefined) return []
    const { batchId, sinceMs, tasks } = running
    const reasons: Reason[] = []
    const retried = tasks.filter(({ attempt }) => attempt > 1)
    const worst = Math.max(...retried.map(({ attempt }) => attempt))
    if (retried.length > 0) {
      const which = `${retried[0]!.operator}, partition ${retried[0]!.partition}`
      const message = `${retried.length} tasks of batch ${batchId} are being retried, up to attempt ${worst} (${which}); see the log for the errors`
      reasons.push({ code: 'TASKS_RETRIED', message, sinceMs })
    }
    const runsMs = timeMs - sinceMs
    if (runsMs > Math.max(leastSlowMs, slowIntervals * batchIntervalMs)) {
      const message = `batch ${batchId} has been running for ${duration(runsMs)}; the batch interval is ${duration(batchIntervalMs)}`
      reasons.push({ code: 'BATCH_SLOW', message, sinceMs })
    }
    return reasons
  }
}

function behind({ batches, batchIntervalMs, lagRecords }: JobStatus): Reason[] {
  const newest = batches.at(-1)
  if (newest === undefined) return []
  const { id, schedulingDelayMs } = newest
  if (schedulingDelayMs <= Math.max(leastBehindMs, behindIntervals * batchIntervalMs)) return []
  const message =
    `batch ${id} started ${duration(schedulingDelayMs)} late, with ${lagRecords} records in the ` +
    'topics after it; give the job more executors, more partitions, or a longer batch interval'
  return [{ code: 'BEHIND', message }]
}
