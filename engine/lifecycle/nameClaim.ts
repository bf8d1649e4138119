// A job's claim to its name. Two jobs with one name would write the same results twice. So a job
// reads the status topic at its start and afterwards: it is refused when another instance is
// already running and, of two that start at the same moment, the one that started later ends.
// Statuses are all that jobs in different directories share, so a claim depends on the broker being
// reachable.

import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { type Clock, sleep } from '../../protocol/runtime/time/clock.ts'
import { duration } from '../../protocol/telemetry/figures.ts'
import { type Logger, silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import type { JobStatus, Status } from '../../protocol/telemetry/status/status.ts'
import {
  followStatus,
  type StatusFollower,
} from '../../protocol/telemetry/status/statusFollower.ts'
import { EngineError } from '../engineError.ts'

/** Jobs report every second; one that has been silent for longer is not running any more. */
export const aliveMs = 10_000
/** Maximum delay of a start when the broker is unreachable. */
const checkTimeoutMs = 3_000
/** Maximum wait of a fetch of the status topic. */
const maxWaitMs = 1_000

export interface NameClaimOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  /** Id of this job: `job/<name>/<instance>`. */
  readonly id: string
  readonly startedMs: number
}

export class NameClaim {
  /**
   * Rejects with JOB_NAME_TAKEN when another job of the name has an earlier claim; never resolves.
   */
  readonly lost: Promise<never>
  readonly #options: NameClaimOptions
  readonly #follower: StatusFollower
  readonly #lose: (error: EngineError) => void
  readonly #caughtUp = new AbortController()
  /** Whether the name was found free: from then on the job that started earlier keeps it. */
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
      // The publisher of the job's own status logs whether the topic can be reached.
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
   * Resolves when no other job of the name runs, or when that is not known after a few seconds:
   * `lost` reports it later. Rejects with JOB_NAME_TAKEN.
   */
  async check(): Promise<void> {
    const { clock } = this.#options
    await Promise.race([this.lost, sleep(clock, checkTimeoutMs, this.#caughtUp.signal)])
    this.#isHeld = true
  }

  /** Stops listening. A fetch in flight ends with the cluster, which is closed next. */
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

  /**
   * Both jobs reach the same decision whatever their clocks say, because they compare the same
   * numbers.
   */
  #isEarlier(other: JobStatus): boolean {
    const { id, startedMs } = this.#options
    // A version that does not report its start does not know of claims either.
    const { startedMs: otherMs = 0 } = other
    return otherMs < startedMs || (otherMs === startedMs && other.id < id)
  }

  #warn(other: JobStatus): void {
    if (this.#isWarned) return
    this.#isWarned = true
    const fields = { job: this.#options.name, other: other.id, host: other.host }
    this.#options.logger.warn(fields, 'another job of this name was started later and must end')
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
      `job '${name}' is already running: instance ${instanceOf(other.id)}${place}, for ${since}; stop it ` +
        `(millrace job stop ${name}), or give this job another name. After a kill, wait ` +
        `${aliveMs / 1000} s, or start the job in its previous directory`,
    )
  }
}

/** The instance in the id of a status. */
export function instanceOf(id: string): string {
  return id.slice(id.lastIndexOf('/') + 1)
}

/** The name of the job in the id of a status. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf('/') + 1, id.lastIndexOf('/'))
}
