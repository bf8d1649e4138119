// A whole broker in memory: the test controls its network, its disk and its clock. With a client
// that sends single requests, in any version, and can misbehave.

import { type Broker, startBroker } from '../../../broker/broker.ts'
import { type BrokerConfig, brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import type { MetadataLog } from '../../../broker/controller/metadata/metadataLog.ts'
import type { BrokerParts } from '../../../broker/server/request/requestContext.ts'
import { ByteReader } from '../../../protocol/bytes/reader.ts'
import { decodeResponse, encodeRequest, FrameSplitter } from '../../../protocol/kafka/frame.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Api, RequestInput, ResponseOf } from '../../../protocol/kafka/schema/schema.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import type { Connection, Network } from '../../../protocol/runtime/network/network.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { Metrics } from '../../../protocol/telemetry/metrics/metrics.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { type MortalDisk, mortalDisk } from '../log/mortalDisk.ts'

const address = { host: 'broker', port: 9092 }

export class MemoryBroker {
  readonly clock = new ManualClock()
  /** The disk and configuration for the next `start`. */
  disk = new MemoryDisk()
  readonly logger = new MemoryLogger()
  readonly metadataLog = new MemoryMetadataLog()
  /** Wraps the disk for the next `start`, for example with failures. */
  wrapDisk: (disk: Disk) => Disk = (disk) => disk
  wrapMetadataLog: (log: MetadataLog) => MetadataLog = (log) => log
  /** The current run of the broker. A killed run closes nothing. */
  metrics = new Metrics()
  network: Network = memoryNetwork()
  readonly #config: Partial<BrokerConfig>
  readonly #clients: RawClient[] = []
  /**
   * A new generator for each run, because two runs must not give the same id to different topics.
   */
  #seed = 1
  #life: MortalDisk | undefined
  broker!: Broker
  /** The parts that its handlers use. */
  parts!: BrokerParts

  private constructor(config: Partial<BrokerConfig>) {
    this.#config = config
  }

  static async start(config: Partial<BrokerConfig> = {}): Promise<MemoryBroker> {
    const broker = new MemoryBroker(config)
    await broker.start()
    return broker
  }

  async start(): Promise<void> {
    const { clock, logger, network } = this
    this.metrics = new Metrics()
    const life = mortalDisk(this.disk)
    const disk = this.wrapDisk(life)
    this.#life = life
    this.broker = await startBroker({
      runtime: {
        clock,
        disk,
        network,
        random: seededRandom(this.#seed++),
        scheduler: systemScheduler,
      },
      logger,
      metrics: this.metrics,
      config: brokerConfig({
        'log.dir': '/data',
        // Without the reserve for a full disk, which takes time to allocate.
        'log.dir.reserved.bytes': 64 * 1024,
        'group.initial.rebalance.delay.ms': 0,
        'shutdown.drain.timeout.ms': 0,
        ...this.#config,
      }),
      listeners: [{ name: 'MEMORY', network, address }],
      testHooks: {
        opened: (parts) => {
          this.parts = parts
        },
        handle: (_api, request, _context, handle) => handle(request),
      },
      openMetadataLog: async () => this.wrapMetadataLog(mortalMetadataLog(this.metadataLog, life)),
    })
  }

  /** Loses power: unsynced data and all connections are lost. */
  crash(): Promise<void> {
    return this.#begin(() => this.disk.crash())
  }

  /** Kills the process: everything that it wrote remains, synced or not. */
  kill(): Promise<void> {
    return this.#begin(() => this.disk.endProcess())
  }

  async #begin(end: () => void): Promise<void> {
    // Leftover work of the former run shares the clock, and must not touch anything any more.
    this.#life?.kill()
    end()
    for (const client of this.#clients.splice(0)) client.close()
    this.network = memoryNetwork()
    await this.start()
  }

  /** Returns the value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const line = (await this.metrics.expose())
      .split('\n')
      .find((each) => each.startsWith(`${name} `))
    return Number(line!.slice(name.length))
  }

  async client(): Promise<RawClient> {
    const client = new RawClient(await this.network.connect(address, 1000))
    this.#clients.push(client)
    return client
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close()
    await this.broker.close()
  }
}

interface Expected {
  readonly api: Api
  readonly version: number
  readonly resolve: (body: unknown) => void
  readonly reject: (error: Error) => void
}

export class RawClient {
  readonly #connection: Connection
  readonly #splitter = new FrameSplitter(2 ** 30)
  readonly #expected: Expected[] = []
  #correlationId = 0
  #answeredId = -1
  /** Resolves when the broker has closed the connection. */
  readonly closed: Promise<void>

  constructor(connection: Connection) {
    this.#connection = connection
    this.closed = new Promise((resolve) => {
      connection.start({
        onData: (chunk) => this.#receive(chunk),
        onDrain: () => {},
        onClose: () => {
          for (const { reject } of this.#expected.splice(0)) reject(new Error('closed'))
          resolve()
        },
      })
    })
  }

  /** Checks that answers arrive in the order of the requests. */
  send<A extends Api>(api: A, version: number, body: RequestInput<A>): Promise<ResponseOf<A>> {
    return new Promise((resolve, reject) => {
      this.#expected.push({ api, version, resolve: resolve as () => void, reject })
      this.#write(api, version, body)
    })
  }

  /** Returns the answer to bytes that the test is about to write by hand. */
  expectAnswer<A extends Api>(api: A, version: number): Promise<ResponseOf<A>> {
    return new Promise((resolve, reject) => {
      this.#expected.push({ api, version, resolve: resolve as () => void, reject })
    })
  }

  /** Sends a request that gets no answer. */
  sendOnly<A extends Api>(api: A, version: number, body: RequestInput<A>): void {
    this.#write(api, version, body)
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#connection.pause()
  }

  resume(): void {
    this.#connection.resume()
  }

  write(bytes: Buffer): void {
    this.#connection.write([bytes])
  }

  close(): void {
    this.#connection.destroy()
  }

  #write<A extends Api>(api: A, version: number, body: RequestInput<A>): void {
    const header = { correlationId: this.#correlationId++, clientId: 'raw' }
    this.#connection.write(encodeRequest(api, version, header, body))
  }

  #receive(chunk: Buffer): void {
    for (const frame of this.#splitter.push(chunk)) {
      const { api, version, resolve, reject } = this.#expected.shift()!
      try {
        const { correlationId, body } = decodeResponse(api, version, new ByteReader(frame))
        if (correlationId < this.#answeredId) throw new Error(`answer ${correlationId} is late`)
        this.#answeredId = correlationId
        resolve(body)
      } catch (error) {
        reject(error as Error)
      }
    }
  }
}

/** A disk that fails once its process has ended. */
function mortalMetadataLog(log: MetadataLog, life: MortalDisk): MetadataLog {
  const alive = async <Result>(operation: () => Promise<Result>): Promise<Result> => {
    if (!life.isAlive) throw new Error('the process has ended')
    return await operation()
  }
  return {
    load: () => alive(() => log.load()),
    append: (sequence, entry) => alive(() => log.append(sequence, entry)),
    subscribe: (sequence, listener) =>
      log.subscribe(sequence, (...entry) => (life.isAlive ? listener(...entry) : undefined)),
    read: (sequence) => alive(() => log.read(sequence)),
    compact: (sequence, snapshot) => alive(() => log.compact(sequence, snapshot)),
    close: async () => {},
  }
}

export function batchOf(...values: string[]): Buffer {
  const builder = new RecordBatchBuilder()
  for (const value of values) builder.append(1_000_000, null, Buffer.from(value))
  return builder.build()
}
