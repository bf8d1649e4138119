// Reads the topics of the agent's sinks to their ends, again and again: what was delivered.

import { Cluster } from '../../../../protocol/client/cluster/cluster.ts'
import {
  type FetchedPartition,
  PartitionReader,
} from '../../../../protocol/client/consumer/partitionReader.ts'
import { splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { records } from '../../../../protocol/kafka/records/recordCursor.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { brokerPort } from '../broker/brokerProgram.ts'
import { brokerHost, topicOf } from './agentParameters.ts'
import { asWritten } from './lineComponents.ts'

const maxBatchBytes = 16 * 1024 * 1024

/** The values of the records of each channel's topic, by partition, in order. */
export class Delivered {
  readonly partitions: readonly (readonly string[][])[]
  /** How often each value arrived, by channel. */
  readonly counts: readonly Map<string, number>[]
  total = 0

  constructor(channels: number, partitions: number) {
    this.partitions = Array.from({ length: channels }, () =>
      Array.from({ length: partitions }, () => []),
    )
    this.counts = this.partitions.map(() => new Map())
  }

  add(channel: number, partition: number, value: string): void {
    const text = asWritten(value)
    this.partitions[channel]![partition]!.push(text)
    const counts = this.counts[channel]!
    counts.set(text, (counts.get(text) ?? 0) + 1)
    this.total++
  }
}

export async function readTopics(process: SimulatedProcess, delivered: Delivered): Promise<void> {
  const cluster = new Cluster(process.runtime, {
    bootstrap: [{ host: brokerHost, port: brokerPort }],
    clientId: 'reader',
    requestTimeoutMs: 1000,
    allowAutoTopicCreation: false,
  })
  for (const [channel, partitions] of delivered.partitions.entries()) {
    for (const partition of partitions.keys()) {
      void follow(cluster, channel, partition, delivered)
    }
  }
}

async function follow(cluster: Cluster, channel: number, partition: number, delivered: Delivered) {
  const reader = new PartitionReader(cluster, {
    topic: topicOf(channel),
    partition,
    maxWaitMs: 400,
    retryTimeoutMs: Number.POSITIVE_INFINITY,
  })
  for (let offset = 0; ; ) {
    const fetched = await reader.fetch(offset)
    for (const value of valuesOf(fetched, offset)) delivered.add(channel, partition, value)
    offset = fetched.nextOffset
  }
}

function valuesOf({ batches }: FetchedPartition, from: number): string[] {
  const found: string[] = []
  for (const batch of splitBatches(batches)) {
    for (const { offset, value } of records(batch, maxBatchBytes)) {
      if (offset >= from) found.push(value!.toString('latin1'))
    }
  }
  return found
}
