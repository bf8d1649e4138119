// The topic in which a coordinator keeps its records: routes ids to partitions, appends to a
// partition in the order of the calls, and loads one partition. The topic and its logs are created
// by the first append, because most brokers have few groups and creating fifty directories takes a
// second. Knows no record format.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { RecordBatch } from '../../protocol/kafka/recordBatch.ts'
import type { AppendResult } from '../log/append/appendResult.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'
import type { Partition } from '../replication/partition.ts'
import { coordinatorError } from './coordinatorErrors.ts'
import { loadPartition } from './coordinatorLoader.ts'
import { coordinatorPartition } from './coordinatorPartition.ts'

/** A coordinator's batches are small; this bounds what a damaged one may claim to decompress to. */
export const maxCoordinatorBatchBytes = 64 * 1024 * 1024

export interface CoordinatorTopicOptions {
  readonly name: string
  /** What is lost when a partition is removed because it cannot be read: shown in the error. */
  readonly contents: string
  /**
   * Number of partitions of the topic; while it does not exist, the number that it will be created
   * with.
   */
  readonly partitionCount: () => number
  /** Creates the topic unless it exists. Fails with a BrokerError. */
  readonly ensureTopic: () => Promise<void>
  /** The partition, when its log is open here. */
  readonly find: (partition: number) => Partition | undefined
  /** The partition; creates its log. Fails with a LogError. */
  readonly open: (partition: number) => Promise<Partition>
  /** The epoch of the partition's leader, whether its log is open here or not. */
  readonly leaderEpoch: (partition: number) => number
}

/**
 * What became of an append: an error code for clients of the coordinator, or the offset of its
 * first record.
 */
export interface Appended {
  readonly errorCode: number
  readonly baseOffset: number
}

/**
 * Where a coordinator's records go: one partition, under the epoch in which its coordinator leads.
 */
export interface CoordinatorLeadership {
  readonly partition: number
  readonly leaderEpoch: number
  /** The number of partitions by which the coordinator's ids were routed to it. */
  readonly partitionCount: number
}

export class CoordinatorTopic {
  readonly #options: CoordinatorTopicOptions
  /** By partition: settled when its last append has been handed to the log. */
  readonly #handedOver = new Map<number, Promise<unknown>>()
  /** The creation of the topic under way, shared by the first appends of all partitions. */
  #creation: Promise<void> | undefined

  constructor(options: CoordinatorTopicOptions) {
    this.#options = options
  }

  get partitionCount(): number {
    return this.#options.partitionCount()
  }

  leaderEpoch(partition: number): number {
    return this.#options.leaderEpoch(partition)
  }

  partitionOf(id: string): number {
    return coordinatorPartition(id, this.partitionCount)
  }

  /** Creates the topic unless it exists. */
  ensure(): Promise<void> {
    this.#creation ??= this.#options.ensureTopic().finally(() => {
      this.#creation = undefined
    })
    return this.#creation
  }

  /** Whether the partition holds no batch: loading it reads nothing. */
  isEmpty(partition: number): boolean {
    const log = this.#options.find(partition)?.log
    return !log || log.logStartOffset >= log.logEndOffset
  }

  /** Visits every batch of the partition in order; see `loadPartition`. */
  async load(
    partition: number,
    visit: (batch: RecordBatch) => void,
    isWanted: () => boolean,
  ): Promise<void> {
    const log = this.#options.find(partition)?.log
    const { name: topic, contents } = this.#options
    if (log) await loadPartition({ topic, partition, log, contents }, visit, isWanted)
  }

  /**
   * Resolves when the batch is durable, or with an error; a leadership that is over gets
   * NOT_COORDINATOR. Appends to one partition keep the order of the calls. Fails when the topic or
   * the log cannot be created.
   */
  async append(
    leadership: CoordinatorLeadership,
    batch: Buffer,
    verification?: VerificationGuard,
  ): Promise<Appended> {
    // One after another up to the log, which keeps the order from there: creating the log may take
    // a while, and durability must not be waited for here.
    const { partition } = leadership
    const before = this.#handedOver.get(partition) ?? Promise.resolve()
    const handedOver = before.then(() => this.#handOver(leadership, batch, verification))
    this.#handedOver.set(
      partition,
      handedOver.catch(() => undefined),
    )
    const { result } = await handedOver
    const { errorCode, baseOffset } = await result
    return { errorCode: coordinatorError(errorCode), baseOffset }
  }

  /** The result is wrapped: awaiting the turn must not be awaiting durability. */
  async #handOver(
    { partition: number, leaderEpoch, partitionCount }: CoordinatorLeadership,
    batch: Buffer,
    verification: VerificationGuard | undefined,
  ): Promise<{ readonly result: Promise<Pick<AppendResult, 'errorCode' | 'baseOffset'>> }> {
    const found = this.#options.find(number)
    if (!found) await this.ensure()
    // The topic was created by somebody else, with other partitions: the ids belong elsewhere.
    if (partitionCount !== this.partitionCount) return { result: Promise.resolve(notLed) }
    const partition = found ?? (await this.#options.open(number))
    const options = { origin: 'coordinator', acks: 'all', leaderEpoch, verification } as const
    return { result: partition.appendAsLeader(batch, options) }
  }
}

const notLed = { errorCode: ErrorCode.notLeaderOrFollower, baseOffset: -1 }
