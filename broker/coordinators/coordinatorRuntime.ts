// The coordinators of one topic on this broker: one shard for each partition that this broker
// leads, as in Kafka's CoordinatorRuntime. Loads and resigns shards as the leadership in the
// metadata moves, and routes ids to them.
//
// Fencing: the leader epoch of a partition never decreases. A load or resignation of an older epoch
// changes nothing, and a load that ends after a resignation or a newer load is discarded. A shard
// writes under its epoch, so that a coordinator that was deposed without knowing it cannot write.
//
// A partition without batches costs nothing before its first request: its shard is created lazily.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import { assert } from '../../protocol/runtime/assert.ts'
import type { CoordinatorLeadership, PartitionLeadership } from './coordinatorTopic.ts'

/** The coordinator of one partition: a state machine with its requests, appends and timers. */
export interface CoordinatorShard {
  readonly leaderEpoch: number
  /** Lets the shard act: its log is replayed, and the runtime was started. Called once. */
  activate(): void
  /**
   * Answers pending requests with NOT_COORDINATOR, cancels timers, and drops the results of
   * appends.
   */
  resign(): void
  /** Ends the shard with the broker: requests whose appends are in flight are still answered. */
  close(): void
  /** Resolves when no append is in flight. */
  settled(): Promise<void>
}

/** The coordinator's topic, as far as the runtime needs it. */
export interface CoordinatorPartitions {
  readonly partitionCount: number
  partitionOf(id: string): number
  leadership(partition: number): PartitionLeadership
  /** Whether the partition has no batches, so that loading it would read nothing. */
  isEmpty(partition: number): boolean
}

export interface CoordinatorRuntimeOptions<Shard extends CoordinatorShard> {
  readonly partitions: CoordinatorPartitions
  readonly newShard: (leadership: CoordinatorLeadership) => Shard
  /** Replays the partition's log into the shard. May stop early once `isWanted` returns false. */
  readonly load: (shard: Shard, partition: number, isWanted: () => boolean) => Promise<void>
  /** Called when a partition that this broker became the leader of cannot be loaded. */
  readonly onLoadFailed: (partition: number, error: unknown) => void
  /** Called after a shard has resigned. */
  readonly onEnded?: (shard: Shard) => void
}

interface Led<Shard> {
  readonly leaderEpoch: number
  state: 'loading' | 'active' | 'failed' | 'resigned'
  /** Undefined while loading, and for an active partition that has had no request yet. */
  shard: Shard | undefined
  /** Calls that wait until the partition is active. */
  readonly deferred: ((shard: Shard) => void)[]
}

export class CoordinatorRuntime<Shard extends CoordinatorShard> {
  readonly #options: CoordinatorRuntimeOptions<Shard>
  readonly #partitions = new Map<number, Led<Shard>>()
  /** The remaining appends of shards that have resigned. */
  readonly #draining = new Set<Promise<void>>()
  /**
   * Number of partitions at `loadAll`; undefined when partitions are loaded one by one.
   */
  #loadedCount: number | undefined
  #isStarted = false
  #closed = false

  constructor(options: CoordinatorRuntimeOptions<Shard>) {
    this.#options = options
  }

  /** Lets shards act: those that are loaded already, and later ones once they are loaded. */
  start(): void {
    this.#isStarted = true
    for (const shard of this.shards()) shard.activate()
  }

  /** Loads every partition that this broker leads. Fails when the log of one cannot be read. */
  async loadAll(): Promise<void> {
    for (const { partition, leaderEpoch } of this.#led()) await this.load(partition, leaderEpoch)
  }

  /**
   * Follows a change of the metadata: loads the partitions of which this broker became the leader,
   * and resigns those that it no longer leads. A failed load is reported to `onLoadFailed`.
   */
  follow(): void {
    if (this.#closed) return
    const { partitionCount } = this.#options.partitions
    if ((this.#loadedCount ?? partitionCount) !== partitionCount) this.#repartition()
    else this.#loadLed()
  }

  /**
   * Takes over the leadership of a partition from `leaderEpoch` on. Returns undefined when there is
   * nothing to load. Fails when the log cannot be read; the partition then has no coordinator.
   */
  load(partition: number, leaderEpoch: number): Promise<void> | undefined {
    const before = this.#partitions.get(partition)
    if (this.#closed || (before && leaderEpoch <= before.leaderEpoch)) return undefined
    this.#endShard(before)
    const isEmpty = this.#options.partitions.isEmpty(partition)
    const state = isEmpty ? 'active' : 'loading'
    const led: Led<Shard> = { leaderEpoch, state, shard: undefined, deferred: [] }
    this.#partitions.set(partition, led)
    return isEmpty ? undefined : this.#load(partition, led)
  }

  /**
   * Resigns the leadership of a partition: from `leaderEpoch` on, another broker leads it, or none.
   */
  resign(partition: number, leaderEpoch: number): void {
    const before = this.#partitions.get(partition)
    if (before && leaderEpoch < before.leaderEpoch) return
    if (before?.state === 'resigned' && leaderEpoch === before.leaderEpoch) return
    this.#partitions.set(partition, {
      ...{ leaderEpoch, state: 'resigned', shard: undefined, deferred: [] },
    })
    this.#endShard(before)
  }

  /**
   * Returns the shard that coordinates the id, or the error code with which its requests are
   * refused.
   */
  shardOf(id: string): Shard | number {
    const { partitions } = this.#options
    const { partitionCount } = partitions
    if ((this.#loadedCount ?? partitionCount) !== partitionCount) this.#repartition()
    const partition = partitions.partitionOf(id)
    const led = this.#partitions.get(partition)
    if (this.#closed || !led) return ErrorCode.notCoordinator
    if (led.state === 'loading') return ErrorCode.coordinatorLoadInProgress
    if (led.state !== 'active') return ErrorCode.notCoordinator
    return led.shard ?? this.#create(partition, led)
  }

  /**
   * Returns the error code with which requests for the id are refused; 0 when this broker
   * coordinates it.
   */
  errorOf(id: string): number {
    const shard = this.shardOf(id)
    return typeof shard === 'number' ? shard : ErrorCode.none
  }

  /**
   * Calls `act` with the partition's shard: now or, while the partition is loaded, once it is
   * active. Drops the call when this broker does not lead the partition, or when no shard was
   * created: then there is nothing to act on.
   */
  whenActive(partition: number, act: (shard: Shard) => void): void {
    const led = this.#partitions.get(partition)
    if (led?.state === 'loading') led.deferred.push(act)
    else if (led?.shard) act(led.shard)
  }

  /** Yields the active shards that were created. */
  *shards(): Generator<Shard, void> {
    for (const { shard } of this.#partitions.values()) if (shard) yield shard
  }

  get isLoading(): boolean {
    for (const { state } of this.#partitions.values()) if (state === 'loading') return true
    return false
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Ends all shards. Resolves when no append is in flight. Idempotent. */
  async close(): Promise<void> {
    const shards = [...this.shards()]
    if (!this.#closed) for (const shard of shards) shard.close()
    this.#closed = true
    await Promise.all([...this.#draining, ...shards.map((shard) => shard.settled())])
  }

  #loadLed(): void {
    for (const { partition, leaderEpoch } of this.#led()) {
      this.load(partition, leaderEpoch)?.catch((error: unknown) => {
        this.#options.onLoadFailed(partition, error)
      })
    }
  }

  /** Resigns the partitions that this broker does not lead, and yields the others. */
  *#led(): Generator<{ readonly partition: number; readonly leaderEpoch: number }, void> {
    const { partitions } = this.#options
    const { partitionCount } = partitions
    this.#loadedCount = partitionCount
    for (let partition = 0; partition < partitionCount; partition++) {
      const { leaderEpoch, isLed } = partitions.leadership(partition)
      if (isLed) yield { partition, leaderEpoch }
      else this.resign(partition, leaderEpoch)
    }
  }

  async #load(partition: number, led: Led<Shard>): Promise<void> {
    const isWanted = () => this.#partitions.get(partition) === led && !this.#closed
    const shard = this.#newShard(partition, led)
    try {
      await this.#options.load(shard, partition, isWanted)
    } catch (error) {
      if (!isWanted()) return
      led.state = 'failed'
      throw error
    }
    if (!isWanted()) return
    this.#activate(led, shard)
    for (const act of led.deferred.splice(0)) act(shard)
  }

  #create(partition: number, led: Led<Shard>): Shard {
    const shard = this.#newShard(partition, led)
    this.#activate(led, shard)
    return shard
  }

  #newShard(partition: number, { leaderEpoch }: Led<Shard>): Shard {
    const { partitionCount } = this.#options.partitions
    return this.#options.newShard({ partition, leaderEpoch, partitionCount })
  }

  #activate(led: Led<Shard>, shard: Shard): void {
    assert(led.shard === undefined, 'a partition has at most one shard in a leader epoch')
    assert(shard.leaderEpoch === led.leaderEpoch, 'a shard acts only in its own leader epoch')
    led.shard = shard
    led.state = 'active'
    if (this.#isStarted) shard.activate()
  }

  #endShard(led: Led<Shard> | undefined): void {
    if (!led?.shard) return
    const { shard } = led
    led.shard = undefined
    shard.resign()
    this.#options.onEnded?.(shard)
    const draining = shard.settled().finally(() => this.#draining.delete(draining))
    this.#draining.add(draining)
  }

  /**
   * Starts again with the actual number of partitions: the topic was created by another party, with
   * another number than was expected, so that ids belong to other partitions. No shard has written
   * anything yet, so nothing is lost.
   */
  #repartition(): void {
    for (const led of this.#partitions.values()) this.#endShard(led)
    this.#partitions.clear()
    this.#loadLed()
  }
}
