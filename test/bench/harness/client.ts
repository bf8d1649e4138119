// The client of Millrace as the benchmarks of brokers use it, over TCP, with any broker.

import { Admin } from '../../../protocol/client/admin.ts'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { BatchSender } from '../../../protocol/client/producer/batchSender.ts'
import type { Address } from '../../../protocol/runtime/network/network.ts'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { systemRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { systemClock } from '../../../protocol/runtime/time/clock.ts'
import type { Work } from './measure.ts'
import type { OrderBatches } from './orderBatches.ts'

/** Batches in flight: the limit of an idempotent producer. */
export const inFlight = 5
export const batchBytes = 512 * 1024

/** A topic with one partition on a broker, and a client for it. The topic is deleted afterwards. */
export class BenchTopic {
  readonly cluster: Cluster
  readonly name: string
  readonly #admin: Admin

  private constructor(address: Address) {
    const runtime = {
      clock: systemClock,
      random: systemRandom(),
      network: tcpNetwork,
      scheduler: systemScheduler,
    }
    this.cluster = new Cluster(runtime, { bootstrap: [address], clientId: 'bench' })
    this.name = `bench-${runtime.random.uint32().toString(16)}`
    this.#admin = new Admin(this.cluster)
  }

  static async create(address: Address): Promise<BenchTopic> {
    const topic = new BenchTopic(address)
    try {
      await topic.#admin.createTopics([{ name: topic.name, partitions: 1 }])
    } catch (error) {
      await topic.cluster.close()
      throw error
    }
    return topic
  }

  async remove(): Promise<void> {
    try {
      await this.#admin.deleteTopics([this.name])
    } finally {
      await this.cluster.close()
    }
  }

  /**
   * Sends batches until it is over, `inFlight` at a time, from as many senders: without sequence
   * numbers, a sender has one batch in flight.
   */
  produce(orders: OrderBatches): Work {
    return async (isOver) => {
      let bytes = 0
      let next = 0
      const one = async () => {
        const sender = new BatchSender(this.cluster, systemClock, {
          acks: -1,
          deliveryTimeoutMs: 30_000,
          maxInFlight: 1,
        })
        while (!isOver(bytes)) {
          const batch = orders.batches[next++ % orders.batches.length]!
          await sender.send(this.name, 0, batch)
          bytes += batch.length
        }
        sender.close()
      }
      await Promise.all(Array.from({ length: inFlight }, one))
      return { bytes, records: bytes / orders.bytesPerRecord }
    }
  }
}
