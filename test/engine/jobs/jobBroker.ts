// A broker with a topic, a producer and a directory for a job, for tests that run whole jobs.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningJob, type SubmitOptions, submitJob } from '../../../engine/lifecycle/submit.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import type { JobStatus } from '../../../protocol/telemetry/status/status.ts'
import { TestBroker } from '../../interop/testBroker.ts'

const runtime = {
  clock: systemClock,
  random: systemRandom(),
  scheduler: systemScheduler,
  disk: nodeDisk,
  network: tcpNetwork,
}

export class JobBroker {
  readonly topic: string
  readonly directory: string
  readonly cluster: Cluster
  readonly #broker: TestBroker
  readonly #producer: Producer
  readonly #running: RunningJob[] = []

  private constructor(topic: string, directory: string, broker: TestBroker) {
    this.topic = topic
    this.directory = directory
    this.#broker = broker
    const bootstrap = [{ host: '127.0.0.1', port: broker.port }]
    this.cluster = new Cluster(runtime, { bootstrap, clientId: 'test' })
    this.#producer = new Producer(this.cluster, runtime)
  }

  static async start(topic: string): Promise<JobBroker> {
    const broker = await TestBroker.start()
    return new JobBroker(topic, await mkdtemp(join(tmpdir(), 'millrace-job-')), broker)
  }

  get address(): string {
    return this.#broker.address
  }

  async createTopic(partitions: number): Promise<void> {
    await new Admin(this.cluster).createTopics([{ name: this.topic, partitions }])
  }

  async produce(lines: readonly string[]): Promise<void> {
    await Promise.all(
      lines.map((line) => this.#producer.send(this.topic, { value: Buffer.from(line) })),
    )
  }

  async submit(module: string, options: Partial<SubmitOptions> = {}): Promise<RunningJob> {
    const running = await submitJob({
      runtime,
      logger: silentLogger,
      module,
      bootstrap: [{ host: '127.0.0.1', port: this.#broker.port }],
      directory: this.directory,
      batchIntervalMs: 200,
      ...options,
    })
    this.#running.push(running)
    return running
  }

  /** Makes the broker unreachable until `resume`. */
  pause(): Promise<void> {
    return this.#broker.pause()
  }

  resume(): Promise<void> {
    return this.#broker.resume()
  }

  async stop(): Promise<void> {
    // The test has already checked a job that failed.
    for (const job of this.#running) await job.stop().catch(() => {})
    await this.#producer.close()
    await this.cluster.close()
    await this.#broker.stop()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Resolves with the status of the first batch after which `records` records have been counted. */
export async function counted(job: RunningJob, records: number): Promise<JobStatus> {
  const ended = job.finished.then(() => Promise.reject(new Error('the job has ended')))
  const reached = new Promise<JobStatus>((resolve) => {
    const unsubscribe = job.onBatch((status) => {
      if (status.recordsTotal < records) return
      unsubscribe()
      resolve(status)
    })
  })
  return await Promise.race([reached, ended])
}
