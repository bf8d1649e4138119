// Operations that commit first and act later, when the second half fails: the request is answered,
// a restart loses nothing acknowledged, and the second half is completed without a restart as soon
// as possible.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { errorName } from '../../../protocol/kafka/errors.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { MemoryBroker } from '../server/memoryBroker.ts'
import { AdminRequests } from './adminRequests.ts'
import { FaultyDisk, type Verdict } from './faultyDisk.ts'

/** Longer than the longest pause between two retries, twice. */
const retriedSeconds = 15

let broker: MemoryBroker
let admin: AdminRequests
let verdict: Verdict = () => undefined

async function connect(): Promise<void> {
  admin = new AdminRequests(await broker.client())
}

/** Lets pending retries run, a few times. */
async function retry(): Promise<void> {
  for (let second = 0; second < retriedSeconds; second++) {
    await broker.clock.advanceAndSettle(1000)
    await settle()
  }
}

async function restart(): Promise<void> {
  await broker.stop()
  await broker.start()
  await connect()
}

beforeEach(async () => {
  verdict = () => undefined
  broker = await MemoryBroker.start()
  await broker.stop()
  broker.wrapDisk = (disk) => new FaultyDisk(disk, (operation, path) => verdict(operation, path))
  await broker.start()
  await connect()
})

afterEach(async () => {
  verdict = () => undefined
  await broker.stop()
})

const names = (codes: readonly number[]) => codes.map(errorName)

describe('a deletion whose second half fails', () => {
  /** What makes a deletion fail, in the order of its steps. */
  const obstacles: [string, Verdict][] = [
    ['the recovery points cannot be written', (_, path) => hit(path, 'recovery-point', 'EISDIR')],
    ['the disk is full', (operation) => (operation === 'write' ? 'ENOSPC' : undefined)],
    ['no file can be opened', (operation) => (operation === 'open' ? 'EMFILE' : undefined)],
    ['directories cannot be synced', (operation) => hit(operation, 'syncDirectory', 'EMFILE')],
    ['directories cannot be renamed', (operation) => hit(operation, 'rename', 'EACCES')],
    ['files cannot be removed', (operation) => hit(operation, 'remove', 'EBUSY')],
  ]

  test.each(obstacles)('%s: a new topic of the same name loses nothing', async (_, obstacle) => {
    expect(await admin.createTopics(['orders', 2], ['other', 1])).toEqual([0, 0])
    for (const value of ['1', '2', '3', '4']) await admin.produce('orders', 0, [value])
    await admin.produce('other', 0, ['x'])
    verdict = obstacle
    expect(names(await admin.deleteTopics('orders'))).toEqual(['NONE'])
    expect(await admin.topicNames()).toEqual(['other'])
    const meanwhile = await admin.createTopics(['orders', 2])
    verdict = () => undefined
    if (meanwhile[0] !== 0) {
      expect(names(meanwhile)).toEqual(['TOPIC_ALREADY_EXISTS'])
      await retry()
      expect(names(await admin.createTopics(['orders', 2]))).toEqual(['NONE'])
    }
    for (const value of ['a', 'b', 'c']) expect(await admin.produce('orders', 0, [value])).toBe(0)
    expect(await admin.read('orders', 0)).toEqual(['a', 'b', 'c'])
    await restart()
    expect(await admin.read('orders', 0)).toEqual(['a', 'b', 'c'])
    expect(await admin.read('other', 0)).toEqual(['x'])
    const directories = await broker.disk.list('/data')
    expect(directories.filter((name) => name.includes('delete'))).toEqual([])
  })

  test('continues after a restart, and does not touch a log with another topic id', async () => {
    await admin.createTopics(['orders', 1])
    await admin.produce('orders', 0, ['old'])
    verdict = (operation, path) =>
      operation === 'rename' ? hit(path, 'orders', 'EACCES') : undefined
    expect(await admin.deleteTopics('orders')).toEqual([0])
    await broker.stop()
    // As in a release that freed the name before the logs were removed.
    expect(broker.metadataLog.entries.at(-1)).toMatchObject({ command: { type: 'deleteTopic' } })
    const newId = '11111111-2222-3333-4444-555555555555'
    const created = { name: 'orders', id: newId, partitions: 1, configs: {} }
    broker.metadataLog.entries.push({ type: 'createTopic', ...created })
    verdict = () => undefined
    await broker.start()
    await connect()
    expect(await admin.produce('orders', 0, ['new'])).toBe(0)
    await restart()
    expect(await admin.read('orders', 0)).toEqual(['new'])
  })

  test.each([
    ['at once', () => undefined],
    [
      'after a failure',
      (operation, path) => hit(`${operation} ${path}`, 'write /data/__journal', 'ENOSPC'),
    ],
  ] as [string, Verdict][])(
    'the entries of a deleted topic in the commit journal become invalid %s',
    async (_, obstacle) => {
      await admin.createTopics(['orders', 1], ['other', 1])
      for (const value of ['1', '2', '3']) expect(await admin.produce('orders', 0, [value])).toBe(0)
      verdict = obstacle
      expect(await admin.deleteTopics('orders')).toEqual([0])
      verdict = () => undefined
      await retry()
      expect(await admin.createTopics(['orders', 1])).toEqual([0])
      // As long as the first batch of the deleted topic, so that its second one would follow.
      expect(await admin.produce('orders', 0, ['n'])).toBe(0)
      await broker.crash()
      await connect()
      expect(await admin.read('orders', 0)).toEqual(['n'])
    },
  )

  test('the offsets committed for the topic are deleted in the end', async () => {
    await admin.createTopics(['orders', 1], ['other', 1])
    expect(await admin.commit('g', 'orders', 7)).toBe(0)
    await admin.commit('g', 'other', 8)
    verdict = (operation, path) => {
      const isOffsets = path.includes('__consumer_offsets') || path.includes('__journal')
      return operation === 'write' && isOffsets ? 'ENOSPC' : undefined
    }
    expect(await admin.deleteTopics('orders')).toEqual([0])
    verdict = () => undefined
    await retry()
    expect(await admin.createTopics(['orders', 1])).toEqual([0])
    expect(await admin.committed('g', 'orders')).toBe(-1)
    await restart()
    expect(await admin.committed('g', 'orders')).toBe(-1)
    expect(await admin.committed('g', 'other')).toBe(8)
  })

  test('the offsets are deleted after a restart, too', async () => {
    await admin.createTopics(['orders', 1])
    await admin.commit('g', 'orders', 7)
    verdict = (operation) => (operation === 'write' ? 'ENOSPC' : undefined)
    expect(await admin.deleteTopics('orders')).toEqual([0])
    await broker.stop().catch(() => {})
    verdict = () => undefined
    await broker.start()
    await connect()
    await retry()
    await admin.createTopics(['orders', 1])
    expect(await admin.committed('g', 'orders')).toBe(-1)
  })
})

describe('a creation whose second half fails', () => {
  const obstacles: [string, Verdict][] = [
    ['another file has the name', (_, path) => hit(path, '/data/orders-1', 'EISDIR')],
    ['the disk is full', (_, path) => hit(path, '/data/orders-1', 'ENOSPC')],
    ['no file can be opened', (operation) => hit(operation, 'open', 'EMFILE')],
  ]

  test.each(obstacles)('%s: Metadata reports it, and produce recovers', async (_, obstacle) => {
    verdict = obstacle
    expect(names(await admin.createTopics(['orders', 3], ['other', 1]))).toEqual(['NONE', 'NONE'])
    const before = await admin.describeTopic('orders')
    expect(before.errorCode).toBe(0)
    expect(errorName(before.partitions[1]!)).toBe('LEADER_NOT_AVAILABLE')
    expect(errorName(await admin.produce('orders', 1, ['a']))).toBe('NOT_LEADER_OR_FOLLOWER')
    verdict = () => undefined
    await retry()
    expect(await admin.describeTopic('orders')).toEqual({ errorCode: 0, partitions: [0, 0, 0] })
    for (const partition of [0, 1, 2])
      expect(await admin.produce('orders', partition, ['a'])).toBe(0)
    await restart()
    expect(await admin.read('orders', 1)).toEqual(['a'])
  })

  test('additional partitions are created as soon as possible', async () => {
    await admin.createTopics(['orders', 1], ['other', 1])
    verdict = (_, path) => hit(path, '/data/orders-2', 'EISDIR')
    expect(names(await admin.createPartitions(['orders', 3], ['other', 2]))).toEqual([
      'NONE',
      'NONE',
    ])
    expect((await admin.describeTopic('orders')).partitions.map(errorName)).toEqual([
      'NONE',
      'NONE',
      'LEADER_NOT_AVAILABLE',
    ])
    expect((await admin.describeTopic('other')).partitions).toEqual([0, 0])
    verdict = () => undefined
    await retry()
    expect(await admin.produce('orders', 2, ['a'])).toBe(0)
  })

  test('the broker starts even if a log cannot be created, and creates it later', async () => {
    verdict = (operation, path) =>
      operation === 'makeDirectory' ? hit(path, '/data/orders-0', 'ENOSPC') : undefined
    await admin.createTopics(['orders', 1])
    await broker.stop()
    expect(await broker.disk.stat('/data/orders-0')).toBeUndefined()
    await broker.start()
    await connect()
    expect((await admin.describeTopic('orders')).partitions.map(errorName)).toEqual([
      'LEADER_NOT_AVAILABLE',
    ])
    verdict = () => undefined
    await retry()
    expect(await admin.produce('orders', 0, ['a'])).toBe(0)
  })
})

test('a stop that fails to save everything still closes everything', async () => {
  const closed: string[] = []
  await broker.stop()
  broker.wrapMetadataLog = (log) => ({
    load: () => log.load(),
    append: (sequence, entry) => log.append(sequence, entry),
    subscribe: (sequence, listener) => log.subscribe(sequence, listener),
    read: (sequence) => log.read(sequence),
    compact: (sequence, snapshot) => log.compact(sequence, snapshot),
    close: async () => void closed.push('metadata log'),
  })
  await broker.start()
  await connect()
  await admin.createTopics(['orders', 1])
  await admin.produce('orders', 0, ['kept'])
  verdict = (operation, path) =>
    operation === 'write' ? hit(path, 'recovery-point', 'ENOSPC') : undefined
  await expect(broker.stop()).rejects.toMatchObject({ code: 'LOG_DISK_FULL' })
  expect(closed).toEqual(['metadata log'])
  verdict = () => undefined
  await broker.start()
  await connect()
  expect(await admin.read('orders', 0)).toEqual(['kept'])
})

function hit(text: string, part: string, code: string): string | undefined {
  return text.includes(part) ? code : undefined
}
