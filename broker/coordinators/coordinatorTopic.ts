// The topic that holds a coordinator's records: routes ids to partitions, appends to a partition in
// the order of the calls, and loads one partition. The topic and its logs are created lazily, by
// the first append: most brokers have few groups, and creating fifty directories takes a second.
// Must never know a record format.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { RecordBatch } from '../../protocol/kafka/records/recordBatch.ts'
import type { RarePoints } from '../../protocol/runtime/rarePoints.ts'
import type { AppendResult } from '../log/append/appendResult.ts'
import type { VerificationGuard } from '../log/producers/transactionVerification.ts'
import type { Partition } from '../replication/partition.ts'
import { coordinatorError } from './coordinatorErrors.ts'
import { loadPartition } from './coordinatorLoader.ts'
import { coordinatorPartition } from './coordinatorPartition.ts'

/**
 * Maximum size of a decompressed batch, in bytes. A coordinator's batches are small: this bounds
 * what a damaged one can claim.
 */
export const maxCoordinatorBatchBytes = 64 * 1024 * 1024

export interface CoordinatorTopicOptions {
  readonly name: string
  /** What is lost if a partition is removed because it cannot be read. Shown in the error. */
  readonly contents: string
  readonly rarePoints?: RarePoints | undefined
  /**
   * Returns the number of partitions of the topic: while it does not exist, the number that it will
   * be created with.
   */
  readonly partitionCount: () => number
  /** Creates the topic unless it exists. Fails with a BrokerError. */
  readonly ensureTopic: () => Promise<void>
  /** Returns the partition if its log is open on this broker. */
  readonly find: (partition: number) => Partition | undefined
  /** Returns the partition, whose log is created if necessary. Fails with a LogError. */
  readonly open: (partition: number) => Promise<Partition>
  /** Returns the leadership of the partition, whether its log is open or not. */
  readonly leadership: (partition: number) => PartitionLeadership
}

/** Who leads a partition of the topic, according to the metadata. */
export interface PartitionLeadership {
  readonly leaderEpoch: number
  /** Whether this broker leads it. */
  readonly isLed: boolean
}

/**
 * The result of an append: an error code for clients of the coordinator, or the offset of its first
 * record.
 */
export interface Appended {
  readonly errorCode: number
  readonly baseOffset: number
}

/**
 * The leadership under which a coordinator writes its records: one partition, in one leader epoch.
 */
export interface CoordinatorLeadership {
  readonly partition: number
  readonly leaderEpoch: number
  /** Number of partitions of the topic when the coordinator's ids were routed to this partition. */
  readonly partitionCount: number
}

export class CoordinatorTopic {
  readonly #options: CoordinatorTopicOptions
  /** By partition: a promise that settles when its last append has been passed to the log. */
  readonly #handedOver = new Map<number, Promise<unknown>>()
  /** The pending creation of the topic, which the first appends of all partitions share. */
  #creation: Promise<void> | undefined

  constructor(options: CoordinatorTopicOptions) {
    this.#options = options
  }

  get partitionCount(): number {
    return this.#options.partitionCount()
  }

  leadership(partition: number): PartitionLeadership {
    return this.#options.leadership(partition)
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

  /** Whether the partition has no batches, so that loading it would read nothing. */
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
    const { name: topic, contents, rarePoints } = this.#options
    const source = { topic, partition, contents, rarePoints }
    if (log) await loadPartition({ ...source, log }, visit, isWanted)
  }

  /**
   * Appends a batch. Resolves when it is durable, or with an error code: NOT_COORDINATOR when the
   * leadership has ended. Appends to one partition keep the order of the calls. Fails when the
   * topic or the log cannot be created.
   */
  async append(
    leadership: CoordinatorLeadership,
    batch: Buffer,
    verification?: VerificationGuard,
  ): Promise<Appended> {
    // Appends pass to the log one after another, because creating the log may take a while. From
    // there the log keeps their order, so the next append must not wait for this one to be durable.
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

  /**
   * Passes a batch to the log. The result is wrapped in an object, because awaiting the turn must
   * not await durability.
   */
  async #handOver(
    { partition: number, leaderEpoch, partitionCount }: CoordinatorLeadership,
    batch: Buffer,
    verification: VerificationGuard | undefined,
  ): Promise<{ readonly result: Promise<Pick<AppendResult, 'errorCode' | 'baseOffset'>> }> {
    const found = this.#options.find(number)
    if (!found) await this.ensure()
    // The topic was created by another party, with other partitions: the ids belong to others now.
    if (partitionCount !== this.partitionCount) return { result: Promise.resolve(notLed) }
    const partition = found ?? (await this.#options.open(number))
    const options = { origin: 'coordinator', acks: 'all', leaderEpoch, verification } as const
    return { result: partition.appendAsLeader(batch, options) }
  }
}

const notLed = { errorCode: ErrorCode.notLeaderOrFollower, baseOffset: -1 }
