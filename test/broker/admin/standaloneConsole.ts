// The console of a busy standalone broker: 1,000 topics, three agents and two jobs that report
// through the status topic. Broker, clients and statuses are real; disk, network and clock are
// simulated.

import { type ServedConsole, startConsole } from '../../../broker/admin/console.ts'
import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { Producer } from '../../../protocol/client/producer/producer.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { encodeStatus, type Status } from '../../../protocol/telemetry/status/status.ts'
import { newStatusTopic } from '../../../protocol/telemetry/status/statusTopic.ts'
import { statusTopic } from '../../../protocol/telemetry/status/statusTopicName.ts'
import { plainOperations } from '../../protocol/operations/plainOperations.ts'
import { MemoryBroker } from '../server/memoryBroker.ts'
import { agentStatus, batchStatus, jobStatus } from './board/boardInput.ts'

export interface StandaloneLoad {
  readonly topics: number
  /** Number of topics that get records every second. */
  readonly used: number
  readonly agents: boolean
  readonly jobs: boolean
}

const bootstrap = [{ host: 'broker', port: 9092 }]
const input = ['access', 'behaviour', 'sensors'] as const

export class StandaloneConsole {
  readonly console: ServedConsole
  readonly #broker: MemoryBroker
  readonly #cluster: Cluster
  readonly #producer: Producer
  readonly #load: StandaloneLoad
  readonly #names: readonly string[]
  #second = 0
  #lines = 0

  static async start(load: StandaloneLoad): Promise<StandaloneConsole> {
    const broker = await MemoryBroker.start()
    const { clock, network, logger } = broker
    const runtime = { clock, network, random: seededRandom(7), scheduler: systemScheduler }
    const console = await startConsole({
      runtime,
      logger,
      address: { host: '127.0.0.1', port: 0 },
      bootstrap,
      topics: () => broker.broker.topics(),
      operations: plainOperations,
    })
    const started = new StandaloneConsole(broker, console, load)
    await started.#during(started.#createTopics())
    return started
  }

  private constructor(broker: MemoryBroker, console: ServedConsole, load: StandaloneLoad) {
    const { clock, network } = broker
    const runtime = { clock, network, random: seededRandom(8), scheduler: systemScheduler }
    this.console = console
    this.#broker = broker
    this.#load = load
    this.#cluster = new Cluster(runtime, { bootstrap, clientId: 'load' })
    this.#producer = new Producer(this.#cluster, runtime)
    const others = Array.from(
      { length: Math.max(0, load.topics - input.length) },
      (_, at) => `tenant-${at % 40}.orders.by-region-${String(at).padStart(4, '0')}`,
    )
    this.#names = [...(load.topics > 0 ? input : []), ...others]
  }

  /** Advances the clock by `count` seconds, each with records, reports and a picture. */
  async seconds(count: number): Promise<void> {
    for (let passed = 0; passed < count; passed++) await this.#during(this.#work())
  }

  async close(): Promise<void> {
    await this.#during(this.#producer.close())
    await this.console.close()
    await this.#cluster.close()
    await this.#broker.stop()
  }

  async #createTopics(): Promise<void> {
    const topics = this.#names.map((name) => ({ name, partitions: 1 }))
    const isReporting = this.#load.agents || this.#load.jobs
    await new Admin(this.#cluster).createTopics([
      ...topics,
      ...(isReporting ? [newStatusTopic] : []),
    ])
  }

  async #work(): Promise<void> {
    const second = this.#second++
    const lines = 40 + Math.round(10 * Math.sin(second / 9))
    this.#lines += lines
    const value = Buffer.from('GET /basket?item=17 HTTP/1.1 200 512')
    const sent = this.#names
      .slice(0, this.#load.used)
      .flatMap((topic, at) =>
        Array.from({ length: at < input.length ? lines : 1 }, () =>
          this.#producer.send(topic, { key: null, value }),
        ),
      )
    await Promise.all(sent)
    await Promise.all(this.#statuses().map((status) => this.#report(status)))
  }

  #report(status: Status): Promise<unknown> {
    return this.#producer.send(statusTopic, encodeStatus(status))
  }

  #statuses(): Status[] {
    const { agents, jobs } = this.#load
    return [...(agents ? this.#agents() : []), ...(jobs ? this.#jobs() : [])]
  }

  #agents(): Status[] {
    const timeMs = this.#broker.clock.nowMs()
    return input.map((topic, at) => {
      const name = `web-0${at + 1}.example.net`
      const fill = at === 1 ? 96_000 : 120 * at
      return agentStatus(timeMs, this.#lines + (at === 1 ? fill : 0), {
        ...{ id: `agent/${name}/${topic}`, name: topic, host: name },
        channels: [{ name: 'disk', type: 'file', size: fill, capacity: 100_000 }],
        sinks: [{ name: 'log', type: 'kafka', eventsDrained: this.#lines, topic }],
      })
    })
  }

  #jobs(): Status[] {
    const timeMs = this.#broker.clock.nowMs()
    return input.slice(0, 2).map((topic, at) =>
      jobStatus(timeMs, this.#lines, {
        ...{ id: `job/${topic}/0000000${at}`, name: `${topic}-by-region`, topics: [topic] },
        ...{ host: 'engine-01.example.net', address: 'http://127.0.0.1:41234' },
        positions: [{ topic, partition: 0, until: this.#lines }],
        batches: [batchStatus(timeMs, { id: this.#second, records: 40, latencyMs: 420 + 40 * at })],
        views: [
          {
            ...{ name: 'total', title: `Lines of ${topic}`, chart: 'bar', batchId: this.#second },
            offsets: [],
            rows: Array.from({ length: 8 }, (_, row) => [`region ${row}`, (9 - row) * this.#lines]),
          },
        ],
      }),
    )
  }

  /**
   * Advances the clock, fast, until `work` is done; at least a second, so that every picture is
   * new.
   */
  async #during(work: Promise<unknown>): Promise<void> {
    let isDone = false
    const done = work.finally(() => {
      isDone = true
    })
    do await this.#broker.clock.advanceAndSettle(1_000)
    while (!isDone)
    await done
  }
}
