// A whole broker in memory that loses power at a chosen operation of its disk, and restarts on what
// the disk has kept. Each incarnation has its own clock, network and view of the disk: tasks of an
// earlier one that still run cannot be reached, and change nothing.

import { startBroker } from '../../../broker/broker.ts'
import { type BrokerConfig, brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import type { MetadataLog } from '../../../broker/controller/metadata/metadataLog.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { memoryNetwork } from '../../../protocol/runtime/network/memoryNetwork.ts'
import type { Connection, Network } from '../../../protocol/runtime/network/network.ts'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { type MortalDisk, mortalDisk } from '../log/mortalDisk.ts'

export const address = { host: 'broker', port: 9092 }

/** Turns of the event loop after which a load in progress counts as hanging. */
const mostTurns = 50_000

export class MortalBroker {
  /** Errors that the broker logged while it was alive; a dead broker may log anything. */
  readonly errors: string[] = []
  /** The clock of clients. */
  readonly clock = new ManualClock()
  /** Connects to the current incarnation. */
  readonly network: Network = {
    connect: (to, timeoutMs) => this.#network.connect(to, timeoutMs),
    listen: (at, onConnection) => this.#network.listen(at, onConnection),
  }
  deaths = 0
  readonly #random: Random
  readonly #config: BrokerConfig
  readonly #disk = new MemoryDisk({ beforeChange: () => this.#live() })
  readonly #metadata = new MemoryMetadataLog()
  #network: Network = memoryNetwork()
  #logger = new MemoryLogger()
  #lifeClock = new ManualClock()
  #process: MortalDisk = mortalDisk(this.#disk)
  #accepted: Connection[] = []
  /** Changes of the disk until the power fails; Infinity: never. */
  #operationsLeft = Number.POSITIVE_INFINITY
  #died: () => void = () => {}

  constructor(random: Random, config: Partial<BrokerConfig>) {
    this.#random = random
    this.#config = brokerConfig({ 'log.dir': '/data', 'shutdown.drain.timeout.ms': 0, ...config })
  }

  /** Starts, and lives for this many changes of the disk, including those of the start. */
  async liveFor(operations: number): Promise<void> {
    const death = new Promise<void>((resolve) => {
      this.#died = resolve
    })
    this.#operationsLeft = operations
    await this.#start(death)
    await this.until(death)
  }

  /** Starts, and does not die any more. */
  async liveOn(): Promise<void> {
    this.#operationsLeft = Number.POSITIVE_INFINITY
    await this.until(this.#start(new Promise(() => {})))
  }

  /** Ends its last incarnation. */
  end(): void {
    this.#noteErrors()
  }

  /** Advances time and lets everything run until this has settled. */
  async until<T>(done: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    done.then(settled, settled)
    for (let turn = 0; !isSettled; turn++) {
      if (turn > mostTurns) throw new Error(`nothing happens any more after ${turn} turns`)
      await settle()
      this.clock.advance(1)
      this.#lifeClock.advance(1)
    }
    return await done
  }

  #start(death: Promise<void>): Promise<void> {
    // Clients must reach this incarnation only, not a dead one that is still starting.
    const network = memoryNetwork()
    this.#network = network
    this.#lifeClock = new ManualClock(this.clock.nowMs())
    this.#process = mortalDisk(this.#disk)
    this.#logger = new MemoryLogger()
    const process = this.#process
    const listening: Network = {
      connect: network.connect,
      listen: (at, onConnection) =>
        network.listen(at, (connection) => {
          this.#accepted.push(connection)
          onConnection(connection)
        }),
    }
    const started = startBroker({
      runtime: {
        ...{
          clock: this.#lifeClock,
          network: listening,
          disk: process,
          scheduler: systemScheduler,
        },
        random: seededRandom(this.#random.uint32()),
      },
      logger: this.#logger,
      config: this.#config,
      listeners: [{ name: 'MEMORY', network: listening, address }],
      openMetadataLog: async () => this.#metadataLog(process),
    })
    // A start that dies may fail in any way, or never end.
    return Promise.race([death, started.then(() => {})])
  }

  /** Fails the power before the next change of the disk, if it is due. */
  #live(): void {
    if (--this.#operationsLeft === 0) this.#die()
  }

  #die(): void {
    this.deaths++
    this.#noteErrors()
    this.#process.kill()
    const isHarsh = this.#random.below(3) === 0
    const keepUnsynced = seededRandom(this.#random.uint32())
    const reorder = this.#random.below(2) === 0
    this.#disk.crash(isHarsh ? {} : { keepUnsynced, reorder })
    for (const connection of this.#accepted.splice(0)) connection.destroy()
    this.#network = memoryNetwork()
    this.#died()
  }

  #noteErrors(): void {
    this.errors.push(...this.#logger.messages('error'))
  }

  /** May lose a command that was in flight when the power failed, never an acknowledged one. */
  #metadataLog(process: MortalDisk): MetadataLog {
    const kept = this.#metadata
    const alive = () => process === this.#process && process.isAlive
    const change = async <Result>(apply: () => Promise<Result>): Promise<Result> => {
      if (!alive()) throw new Error('the process has ended')
      this.#live()
      const isWritten = alive() || this.#random.below(2) === 0
      const result = isWritten ? await apply() : undefined
      if (!alive()) throw new Error('the process has ended')
      return result!
    }
    return {
      load: () => kept.load(),
      append: (sequence, entry) => change(() => kept.append(sequence, entry)),
      subscribe: (sequence, listener) =>
        kept.subscribe(sequence, (...entry) => (alive() ? listener(...entry) : undefined)),
      // A process that has ended reads nothing: the entries would not be delivered to it.
      read: (sequence) => (alive() ? kept.read(sequence) : new Promise(() => {})),
      compact: (sequence, snapshot) => change(() => kept.compact(sequence, snapshot)),
      close: async () => {},
    }
  }
}
