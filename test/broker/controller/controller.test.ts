// The controller between its log and the directories of partitions: a failure or a crash at any
// point is repaired, and no name or id is given out twice.

import { describe, expect, it } from 'vitest'
import { brokerConfig } from '../../../broker/configuration/brokerOptions.ts'
import { DynamicConfiguration } from '../../../broker/configuration/configuration.ts'
import { Controller, type TopicOutcome } from '../../../broker/controller/controller.ts'
import { MemoryMetadataLog } from '../../../broker/controller/metadata/memoryMetadataLog.ts'
import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../broker/controller/metadata/metadataCommand.ts'
import type {
  AppendOutcome,
  MetadataLog,
  StoredEntry,
} from '../../../broker/controller/metadata/metadataLog.ts'
import type { Topic } from '../../../broker/controller/metadata/metadataView.ts'
import { ProducerIds } from '../../../broker/controller/producerIds.ts'
import type { PartitionLogs } from '../../../broker/controller/topics/topicWork.ts'
import { BrokerError } from '../../../broker/errors.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { type Logger, silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'

/** Longer than the longest pause between two retries. */
const retriedMs = 10_000

/** Directories by `topic-partition`. */
class Directories implements PartitionLogs {
  readonly names = new Set<string>()
  failure: Error | undefined
  blocked = ''

  async create({ name, partitions }: Topic): Promise<void> {
    if (this.failure) throw this.failure
    for (const partition of partitions.keys()) this.names.add(`${name}-${partition}`)
  }

  async remove({ name, partitions }: Topic): Promise<void> {
    if (this.failure) throw this.failure
    for (const partition of partitions.keys()) this.names.delete(`${name}-${partition}`)
  }

  readonly reconfigured: Topic[] = []

  reconfigure(topic: Topic): void {
    this.reconfigured.push(topic)
  }

  obstacle(name: string): string | undefined {
    return name === this.blocked ? 'blocked' : undefined
  }
}

const clock = new ManualClock()
/** Counts the controllers, each of which is an incarnation of a broker. */
let incarnations = 0
/** The failures that stopped controllers. */
const failures: unknown[] = []

async function open(
  log: MetadataLog,
  directories: Directories,
  remove?: () => Promise<void>,
  logger: Logger = silentLogger,
) {
  let id = 0
  const controller = await Controller.open({
    log,
    clock,
    logger,
    configuration: new DynamicConfiguration(brokerConfig({ 'num.partitions': 2 })),
    incarnation: `incarnation-${incarnations++}`,
    newTopicId: () => `id-${random.uint32()}-${id++}`,
    newClusterId: () => 'cluster',
    onFailure: (cause) => failures.push(cause),
  })
  if (remove) controller.onTopicDeleted(remove)
  await controller.start(directories)
  return controller
}

const random = seededRandom(1)

function shortageOf(code: string): Error {
  return Object.assign(new Error(`${code}: no room`), { code })
}

function wish(name: string, numPartitions = -1) {
  return { name, numPartitions, replicationFactor: -1, assignments: [], configs: [] }
}

describe('Controller', () => {
  it('creates, extends and deletes topics, which survive a restart', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    const controller = await open(log, directories)
    expect((await controller.createTopic(wish('a'))).topic?.partitions).toHaveLength(2)
    await controller.createTopic(wish('b', 1))
    await controller.createPartitions('b', 3, false)
    await controller.deleteTopic(controller.state.topic('a')!)
    expect([...directories.names]).toEqual(['b-0', 'b-1', 'b-2'])
    const again = await open(log, directories)
    expect([...again.state.topics()]).toEqual([...controller.state.topics()])
    expect(again.clusterId).toBe('cluster')
  })

  it('logs configs that are accepted but have no effect', async () => {
    const logger = new MemoryLogger()
    const controller = await open(new MemoryMetadataLog(), new Directories(), undefined, logger)
    const told = () => {
      const lines = logger.lines.filter(({ message }) => message.includes('no effect'))
      return lines.map(({ fields }) => (fields as { configs: object }).configs)
    }
    const configs = [
      { name: 'flush.messages', value: '1' },
      { name: 'retention.ms', value: '5000' },
    ]
    const { topic } = await controller.createTopic({ ...wish('a'), configs })
    expect(topic?.configs).toEqual({ 'flush.messages': '1', 'retention.ms': '5000' })
    expect(told()).toEqual([{ 'flush.messages': '`flush` says when appends are synced' }])
    const broker = { resourceType: 4, resourceName: '', replacesAll: false }
    const set = async (value: string) => {
      const changes = [{ name: 'log.preallocate', operation: 0, value }]
      return (await controller.alterConfigs({ ...broker, changes }, false)).errorCode
    }
    expect(await set('false')).toBe(ErrorCode.none)
    expect(told()).toHaveLength(1)
    expect(await set('true')).toBe(ErrorCode.none)
    expect(told()).toEqual([
      { 'flush.messages': '`flush` says when appends are synced' },
      { 'log.preallocate': 'segments grow as they are written' },
    ])
  })

  it('creates directories that could not be created as soon as possible, or at the next start', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    const controller = await open(log, directories)
    directories.failure = shortageOf('EMFILE')
    expect((await controller.createTopic(wish('a'))).errorCode).toBe(ErrorCode.none)
    expect((await controller.createPartitions('a', 3, false)).errorCode).toBe(ErrorCode.none)
    expect([...directories.names]).toEqual([])
    directories.failure = undefined
    await open(log, directories)
    expect([...directories.names]).toEqual(['a-0', 'a-1', 'a-2'])
    directories.names.clear()
    await clock.advanceAndSettle(retriedMs)
    expect([...directories.names]).toEqual(['a-0', 'a-1', 'a-2'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps the name of a deleted topic until its directories and offsets are removed', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    let offsetsFail = true
    const removal = async () => {
      if (offsetsFail) throw new Error('not now')
    }
    const controller = await open(log, directories, removal)
    const { topic } = await controller.createTopic(wish('a'))
    directories.failure = shortageOf('ENOSPC')
    expect((await controller.deleteTopic(topic!)).errorCode).toBe(ErrorCode.none)
    expect([...controller.state.topics()]).toEqual([])
    const nameIsTaken = async () => {
      await clock.advanceAndSettle(retriedMs)
      expect((await controller.createTopic(wish('a'))).errorCode).toBe(ErrorCode.topicAlreadyExists)
    }
    await nameIsTaken()
    directories.failure = undefined
    await nameIsTaken()
    expect([...directories.names]).toEqual([])
    offsetsFail = false
    await clock.advanceAndSettle(retriedMs)
    expect(controller.state.deleting()).toEqual([])
    expect((await controller.createTopic(wish('a'))).errorCode).toBe(ErrorCode.none)
    expect(clock.pendingTimers).toBe(0)
  })

  it('removes the directories of a deleted topic after a restart', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    const controller = await open(log, directories)
    const { topic } = await controller.createTopic(wish('a'))
    directories.failure = shortageOf('EIO')
    await controller.deleteTopic(topic!)
    await controller.close()
    directories.failure = undefined
    const again = await open(log, directories)
    expect([...directories.names]).toEqual([])
    expect(again.state.deleting()).toEqual([])
  })

  it('refuses what Kafka refuses, and appends nothing for it', async () => {
    const log = new MemoryMetadataLog()
    const directories = new Directories()
    directories.blocked = 'stray'
    const controller = await open(log, directories)
    await controller.createTopic(wish('a.b'))
    const before = log.entries.length
    const refusal = async (change: object) =>
      (await controller.createTopic({ ...wish('x'), ...change })).errorCode
    expect(await refusal({ name: 'a.b' })).toBe(ErrorCode.topicAlreadyExists)
    expect(await refusal({ name: 'a_b' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: '..' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: 'x'.repeat(250) })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: '' })).toBe(ErrorCode.invalidTopicException)
    expect(await refusal({ name: 'stray' })).toBe(ErrorCode.kafkaStorageError)
    expect(await refusal({ numPartitions: 0 })).toBe(ErrorCode.invalidPartitions)
    expect(await refusal({ numPartitions: 2_000_000 })).toBe(ErrorCode.invalidPartitions)
    expect(await refusal({ replicationFactor: 3 })).toBe(ErrorCode.invalidReplicationFactor)
    const assignments = [{ partitionIndex: 1, brokerIds: [1] }]
    expect(await refusal({ assignments })).toBe(ErrorCode.invalidReplicaAssignment)
    const both = { assignments, numPartitions: 1 }
    expect(await refusal(both)).toBe(ErrorCode.invalidRequest)
    const configs = [{ name: 'segment.byte', value: '1' }]
    expect(await refusal({ configs })).toBe(ErrorCode.invalidConfig)
    const shrunk = await controller.createPartitions('a.b', 1, false)
    expect(shrunk.errorCode).toBe(ErrorCode.invalidPartitions)
    const validated = await controller.createTopic(wish('only-checked'), true)
    expect(validated.errorCode).toBe(ErrorCode.none)
    expect(log.entries).toHaveLength(before)
  })

  it('gives a name that two requests want to one of them', async () => {
    const controller = await open(new MemoryMetadataLog(), new Directories())
    const outcomes = await Promise.all([
      controller.createTopic(wish('a')),
      controller.createTopic(wish('a')),
    ])
    const codes = outcomes.map(({ errorCode }) => errorCode)
    expect(codes).toEqual([ErrorCode.none, ErrorCode.topicAlreadyExists])
  })

  it('keeps configs in the log and its snapshot, and applies them', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    const controller = await open(log, directories)
    await controller.createTopic(wish('a'))
    const set = async (resourceType: number, resourceName: string, name: string, value: string) => {
      const changes = [{ name, operation: 0, value }]
      const configWish = { resourceType, resourceName, changes, replacesAll: false }
      return (await controller.alterConfigs(configWish, false)).errorCode
    }
    expect(await set(2, 'a', 'segment.ms', '5')).toBe(ErrorCode.none)
    expect(await set(4, '', 'max.connections', '6')).toBe(ErrorCode.none)
    expect(await set(32, 'g', 'consumer.session.timeout.ms', '50000')).toBe(ErrorCode.none)
    expect(directories.reconfigured.map(({ configs }) => configs)).toEqual([{ 'segment.ms': '5' }])
    const expectKept = ({ state }: Controller) => {
      expect(state.topic('a')!.configs).toEqual({ 'segment.ms': '5' })
      expect(state.brokerConfigs('')).toEqual({ 'max.connections': '6' })
      expect(state.groupConfigs('g')).toEqual({ 'consumer.session.timeout.ms': '50000' })
    }
    expectKept(await open(log, directories))
    for (let count = 0; count < 1000; count++) await controller.reserveProducerIds(10)
    expect(log.snapshot).toBeDefined()
    expectKept(await open(log, directories))
  })

  it('registers each incarnation of the broker with a larger epoch', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    const first = (await open(log, directories)).state.broker(1)!
    expect(first.epoch).toBe(1)
    const { state } = await open(log, directories)
    expect(state.broker(1)!.epoch).toBe(2)
    expect(state.broker(1)!.incarnation).not.toBe(first.incarnation)
  })

  it('starts even if the broker cannot be registered, and registers it later', async () => {
    const [log, directories] = [new MemoryMetadataLog(), new Directories()]
    await (await open(log, directories)).createTopic(wish('a'))
    log.failure = shortageOf('ENOSPC')
    const { state } = await open(log, directories)
    const before = state.broker(1)!
    expect(state.topic('a')).toBeDefined()
    log.failure = undefined
    await clock.advanceAndSettle(retriedMs)
    expect(state.broker(1)!.epoch).toBeGreaterThan(before.epoch)
    expect(clock.pendingTimers).toBe(0)
  })

  it('shares a log with another controller: each follows what the other has committed', async () => {
    const log = new MemoryMetadataLog()
    const [ours, theirs] = [new Directories(), new Directories()]
    const [one, other] = [await open(log, ours), await open(log, theirs)]
    const outcomes = await Promise.all([
      one.createTopic(wish('a')),
      other.createTopic(wish('a')),
      one.reserveProducerIds(10),
      other.reserveProducerIds(10),
    ])
    const codes = outcomes.slice(0, 2).map((outcome) => (outcome as TopicOutcome).errorCode)
    expect(codes.sort()).toEqual([ErrorCode.none, ErrorCode.topicAlreadyExists])
    expect(outcomes.slice(2).sort()).toEqual([0, 10])
    expect(one.state.snapshot()).toEqual(other.state.snapshot())
    await clock.advanceAndSettle(0)
    for (const { names } of [ours, theirs]) expect([...names]).toEqual(['a-0', 'a-1'])
    await one.deleteTopic(one.state.topic('a')!)
    await clock.advanceAndSettle(0)
    for (const { names } of [ours, theirs]) expect([...names]).toEqual([])
    expect(other.state.deleting()).toEqual([])
    await one.close()
    expect((await other.createTopic(wish('b'))).errorCode).toBe(ErrorCode.none)
    expect(one.state.topic('b')).toBeUndefined()
  })

  it('refuses changes after close, and does not touch the log', async () => {
    const log = new MemoryMetadataLog()
    const controller = await open(log, new Directories())
    await controller.close()
    expect((await controller.createTopic(wish('a'))).errorCode).toBe(ErrorCode.kafkaStorageError)
    expect(log.entries).toHaveLength(2)
  })

  it('loads a snapshot from before brokers and groups had configs', async () => {
    const log = new MemoryMetadataLog()
    log.snapshot = { clusterId: 'c', topics: [], deleting: [], nextProducerId: 3 }
    const { state, clusterId } = await open(log, new Directories())
    expect([clusterId, state.nextProducerId, state.brokerConfigs('')]).toEqual(['c', 3, {}])
  })

  it('replaces a long log by a snapshot', async () => {
    const log = new MemoryMetadataLog()
    const controller = await open(log, new Directories())
    await controller.createTopic(wish('a'))
    for (let count = 0; count < 1000; count++) await controller.reserveProducerIds(10)
    expect(log.entries.length).toBeLessThan(10)
    const again = await open(log, new Directories())
    expect(again.state.topic('a')).toBeDefined()
    expect(again.state.nextProducerId).toBe(10_000)
  })
})

/** Changes of each kind, when the log fails once in a certain way. */
describe('a failed append to the metadata log', () => {
  /**
   * How often appends and reads fail from now on, and whether the command is in the log
   * nevertheless.
   */
  class FailingLog extends MemoryMetadataLog {
    appendsFail = 0
    readsFail = 0
    isWritten = false
    code = 'ENOSPC'

    override async append(sequence: number, entry: MetadataEntry): Promise<AppendOutcome> {
      if (this.appendsFail === 0) return await super.append(sequence, entry)
      this.appendsFail--
      // Delivered with the next read, as by a store that has to be reopened.
      if (this.isWritten) this.entries.push(entry)
      throw shortageOf(this.code)
    }

    override async read(sequence: number): Promise<readonly StoredEntry[]> {
      if (this.readsFail === 0) return await super.read(sequence)
      this.readsFail--
      throw shortageOf(this.code)
    }

    override async compact(sequence: number, snapshot: SnapshotEntry): Promise<void> {
      if (this.appendsFail === 0) return await super.compact(sequence, snapshot)
      this.appendsFail--
      throw shortageOf(this.code)
    }
  }

  const changes: [string, (controller: Controller) => Promise<number>][] = [
    ['CreateTopics', async (each) => (await each.createTopic(wish('new'))).errorCode],
    ['CreatePartitions', async (each) => (await each.createPartitions('t', 5, false)).errorCode],
    ['DeleteTopics', async (each) => (await each.deleteTopic(each.state.topic('t')!)).errorCode],
    ['AlterConfigs', async (each) => (await each.alterConfigs(configWish, false)).errorCode],
    [
      'InitProducerId',
      (each) =>
        each.reserveProducerIds(10).then(
          () => 0,
          () => 56,
        ),
    ],
  ]
  const configWish = {
    ...{ resourceType: 4, resourceName: '', replacesAll: false },
    changes: [{ name: 'max.connections', operation: 0, value: '6' }],
  }

  async function withTopic() {
    const [log, directories] = [new FailingLog(), new Directories()]
    const controller = await open(log, directories)
    await controller.createTopic(wish('t'))
    return { log, directories, controller }
  }

  const expectSame = async (controller: Controller, log: MetadataLog, directories: Directories) => {
    const { brokers: before, ...rest } = controller.state.snapshot()
    const { brokers: after, ...same } = (await open(log, directories)).state.snapshot()
    expect(same).toEqual(rest)
    // Another incarnation of the same broker.
    expect(after).toMatchObject([{ id: before[0]!.id }])
    expect(after[0]!.epoch).toBeGreaterThan(before[0]!.epoch)
  }

  it.each(changes)('%s: an append that wrote nothing is retried immediately', async (_, change) => {
    const { log, directories, controller } = await withTopic()
    log.appendsFail = 1
    expect(await change(controller)).toBe(ErrorCode.none)
    await expectSame(controller, log, directories)
  })

  it.each(changes)(
    '%s: an append that was written nevertheless is found in the log',
    async (_, change) => {
      const { log, directories, controller } = await withTopic()
      Object.assign(log, { appendsFail: 1, isWritten: true })
      expect(await change(controller)).toBe(ErrorCode.none)
      await expectSame(controller, log, directories)
    },
  )

  it.each(changes)(
    '%s: changes are refused while appends fail, and accepted afterwards',
    async (_, change) => {
      const { log, directories, controller } = await withTopic()
      log.appendsFail = 5
      expect(await change(controller)).toBe(ErrorCode.kafkaStorageError)
      expect(await change(controller)).toBe(ErrorCode.kafkaStorageError)
      // The cluster, the broker, the topic.
      expect(log.entries).toHaveLength(3)
      log.appendsFail = 0
      expect(await change(controller)).toBe(ErrorCode.none)
      await expectSame(controller, log, directories)
    },
  )

  it.each(changes)(
    '%s: an outcome that cannot be read immediately is determined later',
    async (_, change) => {
      const { log, directories, controller } = await withTopic()
      Object.assign(log, { appendsFail: 1, readsFail: 2, isWritten: true })
      expect(await change(controller)).toBe(ErrorCode.kafkaStorageError)
      const unknown = controller.state.snapshot()
      await clock.advanceAndSettle(retriedMs)
      expect(controller.state.snapshot()).not.toEqual(unknown)
      await expectSame(controller, log, directories)
      expect([...directories.names].length).toBe(
        [...controller.state.topics()].reduce((sum, { partitions }) => sum + partitions.length, 0),
      )
      expect(clock.pendingTimers).toBe(0)
    },
  )

  it('the broker stops if the disk has failed, or the log cannot be read', async () => {
    for (const code of ['EIO', 'EROFS', 'LEVEL_CORRUPTION']) {
      const { log, controller } = await withTopic()
      Object.assign(log, { appendsFail: 1, readsFail: 1, code })
      failures.length = 0
      expect(await changes[0]![1](controller)).toBe(ErrorCode.kafkaStorageError)
      expect(failures).toMatchObject([{ code }])
      expect(await changes[0]![1](controller)).toBe(ErrorCode.kafkaStorageError)
      expect(failures).toHaveLength(1)
    }
  })

  it('a failed snapshot does not fail the change', async () => {
    const { log, directories, controller } = await withTopic()
    for (let count = 0; count < 995; count++) await controller.reserveProducerIds(10)
    expect(log.snapshot).toBeUndefined()
    // The append of the thousandth command succeeds; the snapshot after it fails.
    const append = log.append.bind(log)
    log.append = async (sequence, entry) => {
      const outcome = await append(sequence, entry)
      log.appendsFail = 1
      log.append = append
      return outcome
    }
    while (log.snapshot === undefined) {
      await controller.reserveProducerIds(10)
      expect(controller.state.nextProducerId).toBeLessThan(20_000)
    }
    await expectSame(controller, log, directories)
  })
})

describe('ProducerIds', () => {
  it('reserves a block for many ids at once, and retries after a failure', async () => {
    let next = 0
    let fails = true
    const ids = new ProducerIds(async (count) => {
      if (fails) throw new Error('disk full')
      next += count
      return next - count
    })
    await expect(ids.next()).rejects.toThrow('disk full')
    fails = false
    const taken = await Promise.all(Array.from({ length: 2500 }, () => ids.next()))
    expect(new Set(taken).size).toBe(2500)
    expect(next).toBe(3000)
  })

  it('has ids while none can be reserved, from the block after a half used one', async () => {
    let next = 0
    let fails = false
    const ids = new ProducerIds(async (count) => {
      if (fails) throw new BrokerError('METADATA_UNAVAILABLE', 'away')
      next += count
      return next - count
    })
    for (let count = 0; count < 600; count++) await ids.next()
    await settle()
    fails = true
    const taken = new Set<number>()
    for (let count = 600; count < 2000; count++) taken.add(await ids.next())
    expect([taken.size, Math.max(...taken)]).toEqual([1400, 1999])
    await expect(ids.next()).rejects.toThrow('away')
    fails = false
    expect(await ids.next()).toBe(2000)
  })
})
