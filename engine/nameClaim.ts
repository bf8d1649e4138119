// A job's claim to its name. Two jobs of one name would write the same results twice, so a job looks
// into the status topic when it starts and goes on looking: it is refused when another instance runs
// already, and of two that started at the same moment the later-started ends. Statuses are the only
// thing that jobs in different directories share, so a claim is only as good as the broker can be reached.

import type { Cluster } from '../protocol/client/cluster.ts'
import { type Clock, sleep } from '../protocol/runtime/clock.ts'
import { duration } from '../protocol/telemetry/figures.ts'
import { type Logger, silentLogger } from '../protocol/telemetry/logger.ts'
import type { JobStatus, Status } from '../protocol/telemetry/status.ts'
import { followStatus, type StatusFollower } from '../protocol/telemetry/statusFollower.ts'
import { EngineError } from './engineError.ts'

/** Jobs report every second: one that has not for so long does not run any more. */
export const aliveMs = 10_000
/** A broker that cannot be reached does not hold a start up for longer. */
const checkTimeoutMs = 3_000
/** How long a fetch of the status topic waits for news. */
const maxWaitMs = 1_000

export interface NameClaimOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  /** Of this job: `job/<name>/<instance>`. */
  readonly id: string
  readonly startedMs: number
}

export class NameClaim {
  /** Rejects with JOB_NAME_TAKEN when another job of the name has an earlier claim; never resolves. */
  readonly lost: Promise<never>
  readonly #options: NameClaimOptions
  readonly #follower: StatusFollower
  readonly #lose: (error: EngineError) => void
  readonly #caughtUp = new AbortController()
  /** Whether the name was found free: from then on the earlier-started job keeps it. */
  #isHeld = false
  #isWarned = false

  constructor(options: NameClaimOptions) {
    const { cluster, clock, name } = options
    const lost = Promise.withResolvers<never>()
    this.lost = lost.promise
    this.lost.catch(() => {})
    this.#lose = lost.reject
    this.#options = options
    this.#follower = followStatus(
      cluster,
      clock,
      // The publisher of the job's own status says whether the topic can be reached.
      silentLogger,
      {
        wants: (id) => id.startsWith(`job/${name}/`),
        heard: (status, _heardMs, isOld) => this.#hear(status, isOld),
        caughtUp: () => this.#caughtUp.abort(),
      },
      maxWaitMs,
    )
  }

  /**
   * Resolves when no other job of the name runs, or when that cannot be told within a few seconds:
   * `lost` says later. Rejects with JOB_NAME_TAKEN.
   */
  async check(): Promise<void> {
    const { clock } = this.#options
    await Promise.race([this.lost, sleep(clock, checkTimeoutMs, this.#caughtUp.signal)])
    this.#isHeld = true
  }

  /** Nothing is heard from now on. A fetch in flight ends with the cluster, which is closed next. */
  stop(): void {
    void this.#follower.stop()
  }

  #hear(status: Status, isOld: boolean): void {
    const { id, name } = this.#options
    if (status.kind !== 'job' || status.name !== name || status.id === id) return
    if (status.state !== 'running' || (isOld && !this.#isAlive(status))) return
    if (!this.#isHeld || this.#isEarlier(status)) this.#lose(this.#taken(status))
    else this.#warn(status)
  }

  #isAlive({ timeMs }: JobStatus): boolean {
    return Math.abs(this.#options.clock.nowMs() - timeMs) < aliveMs
  }

  /** Both jobs come to the same answer, whatever their clocks say: they compare the same figures. */
  #isEarlier(other: JobStatus): boolean {
    const { id, startedMs } = this.#options
    // A version that does not say when it started knows nothing of claims either.
    const { startedMs: otherMs = 0 } = other
    return otherMs < startedMs || (otherMs === startedMs && other.id < id)
  }

  #warn(other: JobStatus): void {
    if (this.#isWarned) return
    this.#isWarned = true
    const fields = { job: this.#options.name, other: other.id, host: other.host }
    this.#options.logger.warn(fields, 'another job of this name was started later; it has to end')
  }

  #taken(other: JobStatus): EngineError {
    const { clock, name } = this.#options
    const since = duration(Math.max(0, clock.nowMs() - (other.startedMs ?? other.timeMs)))
    const place = [
      ...(other.host === undefined ? [] : [` on host ${other.host}`]),
      ...(other.address === undefined ? [] : [` at ${other.address}`]),
    ].join('')
    return new EngineError(
      'JOB_NAME_TAKEN',
      `a job '${name}' runs already: instance ${instanceOf(other.id)}${place}, for ${since}; stop that one ` +
        `(millrace job stop ${name}), or give this job another name. After a kill, wait ` +
        `${aliveMs / 1000} s, or start the job in the directory that it had`,
    )
  }
}

/** The instance of a status' id. */
export function instanceOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1)
}

/** The name of the job in a status' id. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf('/') + 1, id.lastIndexOf('/'))
}
