// CoordinatorRuntime: which leader epochs load, resign and discard a shard, and the error codes
// with which ids are refused meanwhile.

import { describe, expect, it } from 'vitest'
import {
  CoordinatorRuntime,
  type CoordinatorShard,
} from '../../../broker/coordinators/coordinatorRuntime.ts'
import type {
  CoordinatorLeadership,
  PartitionLeadership,
} from '../../../broker/coordinators/coordinatorTopic.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'

class Shard implements CoordinatorShard {
  readonly leadership: CoordinatorLeadership
  readonly calls: string[] = []
  inFlight: Promise<void> = Promise.resolve()

  constructor(leadership: CoordinatorLeadership) {
    this.leadership = leadership
  }

  get leaderEpoch(): number {
    return this.leadership.leaderEpoch
  }

  activate(): void {
    this.calls.push('activate')
  }

  resign(): void {
    this.calls.push('resign')
  }

  close(): void {
    this.calls.push('close')
  }

  settled(): Promise<void> {
    return this.inFlight
  }
}

/**
 * A runtime whose ids are partition numbers. Partitions in `full` have records; the test completes
 * their loading.
 */
function start(partitionCount = 3, full: ReadonlySet<number> = new Set()) {
  const made: Shard[] = []
  const loading: ((error?: Error) => void)[] = []
  const failed: string[] = []
  /** Leaderships in the metadata, except for those of this broker in epoch 0. */
  const leaderships = new Map<number, PartitionLeadership>()
  const partitions = {
    partitionCount,
    partitionOf: (id: string) => Number(id) % partitions.partitionCount,
    leadership: (partition: number) =>
      leaderships.get(partition) ?? { leaderEpoch: 0, isLed: true },
    isEmpty: (partition: number) => !full.has(partition),
  }
  const runtime = new CoordinatorRuntime<Shard>({
    partitions,
    newShard: (leadership) => {
      const shard = new Shard(leadership)
      made.push(shard)
      return shard
    },
    load: () =>
      new Promise((resolve, reject) => {
        loading.push((error) => (error ? reject(error) : resolve()))
      }),
    onLoadFailed: (partition, error) => failed.push(`${partition}: ${(error as Error).message}`),
  })
  runtime.start()
  return { runtime, made, loading, failed, leaderships, partitions }
}

describe('a coordinator partition', () => {
  it('costs nothing before its first request', async () => {
    const { runtime, made } = start(50)
    await runtime.loadAll()
    expect(made).toHaveLength(0)
    expect(runtime.shardOf('7')).toBe(made[0])
    expect(made[0]!.calls).toEqual(['activate'])
    expect(runtime.shardOf('7'), 'the same from then on').toBe(made[0])
    expect([...runtime.shards()]).toHaveLength(1)
  })

  it('refuses with NOT_COORDINATOR while this broker does not lead it', () => {
    const { runtime } = start()
    expect(runtime.shardOf('0')).toBe(ErrorCode.notCoordinator)
    void runtime.load(0, 4)
    expect(runtime.errorOf('0')).toBe(ErrorCode.none)
    runtime.resign(0, 5)
    expect(runtime.errorOf('0')).toBe(ErrorCode.notCoordinator)
  })

  it('refuses with COORDINATOR_LOAD_IN_PROGRESS while it is being loaded', async () => {
    const { runtime, loading } = start(3, new Set([0]))
    const loaded = runtime.load(0, 1)
    expect(runtime.errorOf('0')).toBe(ErrorCode.coordinatorLoadInProgress)
    expect(runtime.isLoading).toBe(true)
    loading[0]!()
    await loaded
    expect([runtime.errorOf('0'), runtime.isLoading]).toEqual([ErrorCode.none, false])
  })

  it('has no coordinator after a failed load, and can be loaded in a later epoch', async () => {
    const { runtime, loading } = start(3, new Set([0]))
    const failing = runtime.load(0, 1)
    loading[0]!(new Error('damaged'))
    await expect(failing).rejects.toThrow('damaged')
    expect(runtime.errorOf('0')).toBe(ErrorCode.notCoordinator)
    const loaded = runtime.load(0, 2)
    loading[1]!()
    await loaded
    expect(runtime.errorOf('0')).toBe(ErrorCode.none)
  })
})

describe('the leader epoch', () => {
  it('fences loads and resignations of older epochs', () => {
    const { runtime, made } = start()
    void runtime.load(0, 5)
    const shard = runtime.shardOf('0')
    void runtime.load(0, 4)
    void runtime.load(0, 5)
    runtime.resign(0, 4)
    expect(runtime.shardOf('0'), 'nothing has changed').toBe(shard)
    expect(made[0]!.calls).toEqual(['activate'])
    runtime.resign(0, 6)
    expect(made[0]!.calls).toEqual(['activate', 'resign'])
    void runtime.load(0, 5)
    void runtime.load(0, 6)
    expect(runtime.errorOf('0'), 'a late load').toBe(ErrorCode.notCoordinator)
    void runtime.load(0, 7)
    expect((runtime.shardOf('0') as Shard).leaderEpoch).toBe(7)
  })

  it('discards a load that ends after a resignation', async () => {
    const { runtime, made, loading } = start(3, new Set([0]))
    const loaded = runtime.load(0, 1)
    runtime.resign(0, 2)
    loading[0]!()
    await loaded
    expect(runtime.errorOf('0')).toBe(ErrorCode.notCoordinator)
    expect(made[0]!.calls, 'it never acts').toEqual([])
  })

  it('discards an older load, whichever of the two ends first', async () => {
    const { runtime, made, loading } = start(3, new Set([0]))
    const loads = [runtime.load(0, 1), runtime.load(0, 2)]
    loading[1]!()
    await settle()
    expect(runtime.shardOf('0')).toBe(made[1])
    loading[0]!(new Error('ignored'))
    await Promise.all(loads)
    expect(runtime.shardOf('0')).toBe(made[1])
    expect(made.map(({ calls }) => calls)).toEqual([[], ['activate']])
  })

  it('of a newer load ends the shard of the older one', () => {
    const { runtime, made } = start()
    void runtime.load(0, 1)
    runtime.shardOf('0')
    void runtime.load(0, 2)
    expect(runtime.shardOf('0')).toBe(made[1])
    expect(made[0]!.calls).toEqual(['activate', 'resign'])
  })
})

describe('the leadership in the metadata', () => {
  it('decides which partitions are loaded at the start', async () => {
    const { runtime, leaderships } = start()
    leaderships.set(1, { leaderEpoch: 3, isLed: false })
    await runtime.loadAll()
    expect(['0', '1', '2'].map((id) => runtime.errorOf(id))).toEqual([
      ...[ErrorCode.none, ErrorCode.notCoordinator, ErrorCode.none],
    ])
  })

  it('resigns a partition that moves away, and loads the partition when it returns', async () => {
    const { runtime, made, loading, leaderships } = start(3, new Set([1]))
    const opened = runtime.loadAll()
    await settle()
    loading[0]!()
    await opened
    leaderships.set(1, { leaderEpoch: 1, isLed: false })
    runtime.follow()
    expect(runtime.errorOf('1')).toBe(ErrorCode.notCoordinator)
    expect(made[0]!.calls).toEqual(['activate', 'resign'])

    leaderships.set(1, { leaderEpoch: 2, isLed: true })
    runtime.follow()
    expect(runtime.errorOf('1')).toBe(ErrorCode.coordinatorLoadInProgress)
    loading[1]!()
    await settle()
    expect((runtime.shardOf('1') as Shard).leaderEpoch).toBe(2)
  })

  it('changes nothing where the leader stays the same', async () => {
    const { runtime, made, leaderships } = start()
    leaderships.set(1, { leaderEpoch: 4, isLed: false })
    await runtime.loadAll()
    const shard = runtime.shardOf('0')
    runtime.follow()
    expect(runtime.shardOf('0')).toBe(shard)
    expect(made[0]!.calls).toEqual(['activate'])
    expect(runtime.errorOf('1')).toBe(ErrorCode.notCoordinator)
  })

  it('leaves a partition that cannot be loaded without a coordinator, and reports it', async () => {
    const { runtime, loading, failed, leaderships } = start(3, new Set([2]))
    leaderships.set(2, { leaderEpoch: 1, isLed: false })
    await runtime.loadAll()
    leaderships.set(2, { leaderEpoch: 2, isLed: true })
    runtime.follow()
    loading[0]!(new Error('damaged'))
    await settle()
    expect(failed).toEqual(['2: damaged'])
    expect(runtime.errorOf('2')).toBe(ErrorCode.notCoordinator)
  })
})

describe('the runtime', () => {
  it('defers calls for a partition until it is loaded', async () => {
    const { runtime, loading } = start(3, new Set([0]))
    const seen: number[] = []
    const note = (shard: Shard) => seen.push(shard.leaderEpoch)
    const loaded = runtime.load(0, 1)
    runtime.whenActive(0, note)
    expect(seen).toEqual([])
    loading[0]!()
    await loaded
    runtime.whenActive(0, note)
    runtime.whenActive(1, note)
    expect(seen, 'no calls for partitions of other leaders').toEqual([1, 1])
  })

  it('routes ids again when the topic was created with another number of partitions', async () => {
    const { runtime, made, partitions } = start(3)
    await runtime.loadAll()
    runtime.shardOf('4')
    partitions.partitionCount = 2
    expect((runtime.shardOf('4') as Shard).leadership).toEqual({
      ...{ partition: 0, leaderEpoch: 0, partitionCount: 2 },
    })
    expect(made[0]!.calls).toEqual(['activate', 'resign'])
  })

  it('waits for the appends of resigned shards when it closes, and refuses all requests afterwards', async () => {
    const { runtime, made } = start()
    void runtime.load(0, 1)
    void runtime.load(1, 1)
    runtime.shardOf('0')
    runtime.shardOf('1')
    const { promise, resolve } = Promise.withResolvers<void>()
    made[0]!.inFlight = promise
    runtime.resign(0, 2)
    let isClosed = false
    const closing = runtime.close().then(() => {
      isClosed = true
    })
    await settle()
    expect(isClosed).toBe(false)
    resolve()
    await closing
    expect(made[1]!.calls).toEqual(['activate', 'close'])
    expect(runtime.errorOf('1')).toBe(ErrorCode.notCoordinator)
  })
})
