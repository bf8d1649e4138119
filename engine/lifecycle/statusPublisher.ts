// Publishes a job's status to the status topic: after each batch, and at least once a second.
// Contract: a job must not depend on it. A status that cannot be sent is dropped, and at most one
// is in flight. A failure is logged when it begins and when it ends, not every second.

import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../protocol/client/producer/producer.ts'
import type { Runtime } from '../../protocol/runtime/runtime.ts'
import type { Timer } from '../../protocol/runtime/time/clock.ts'
import { LastingCondition } from '../../protocol/telemetry/logging/lastingCondition.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { encodeStatus, type JobStatus } from '../../protocol/telemetry/status/status.ts'
import { ensureStatusTopic } from '../../protocol/telemetry/status/statusTopic.ts'
import { statusTopic } from '../../protocol/telemetry/status/statusTopicName.ts'

const intervalMs = 1000
const deliveryTimeoutMs = 5000

export class StatusPublisher {
  readonly #cluster: Cluster
  readonly #clock: Runtime['clock']
  readonly #producer: Producer
  readonly #status: () => JobStatus
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #hasTopic = false
  #isClosed = false
  readonly #fails: LastingCondition

  constructor(
    cluster: Cluster,
    runtime: Pick<Runtime, 'clock' | 'random'>,
    logger: Logger,
    status: () => JobStatus,
  ) {
    this.#cluster = cluster
    this.#clock = runtime.clock
    this.#fails = new LastingCondition({
      ...{ clock: runtime.clock, logger },
      over: 'the status of the job is published again',
    })
    this.#producer = new Producer(cluster, runtime, { lingerMs: 0, deliveryTimeoutMs })
    this.#status = status
  }

  /** Sends the current status, unless one is in flight. */
  publish(): void {
    if (this.#isClosed) return
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(intervalMs, () => this.publish())
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
    })
  }

  /** Sends the final status, and waits for it. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#sending
    await this.#send()
    await this.#producer.close()
  }

  async #send(): Promise<void> {
    try {
      if (!this.#hasTopic) await ensureStatusTopic(this.#cluster, deliveryTimeoutMs)
      this.#hasTopic = true
      await this.#producer.send(statusTopic, encodeStatus(this.#status()))
      this.#fails.over()
    } catch (error) {
      const reason = (error as Error).message
      this.#fails.met({ reason }, 'failed to publish the status of the job; retrying every second')
    }
  }
}
