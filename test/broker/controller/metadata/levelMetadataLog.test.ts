// The metadata log on disk: order, snapshots, and the lock.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLevelMetadataLog } from '../../../../broker/controller/metadata/levelMetadataLog.ts'
import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../../broker/controller/metadata/metadataCommand.ts'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import type { StoredEntry } from '../../../../broker/controller/metadata/metadataLog.ts'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk/disk.ts'
import { openLevelStore } from '../../../../protocol/runtime/store/levelStore.ts'

describe('LevelMetadataLog', () => {
  let data: string

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'millrace-metadata-'))
  })

  afterEach(() => rm(data, { recursive: true, force: true }))

  const open = () =>
    openLevelMetadataLog({ directory: join(data, '__metadata'), makeRoom: async () => false })
  const entry = (next: number): MetadataEntry => {
    const proposal = { incarnation: 'i', number: next }
    return { version: 1, proposal, command: { type: 'reserveProducerIds', next } }
  }
  const snapshotOf = (nextProducerId: number): SnapshotEntry => {
    const empty = { brokers: [], topics: [], deleting: [], brokerConfigs: {}, groupConfigs: {} }
    return { version: 1, state: { clusterId: 'c', ...empty, nextProducerId } }
  }

  it('returns the entries in order', async () => {
    const log = await open()
    expect(await log.load()).toEqual({ snapshot: undefined, entries: [], nextSequence: 0 })
    const entries = Array.from({ length: 12 }, (_, index) => entry(index + 1))
    for (const [sequence, each] of entries.entries()) {
      expect(await log.append(sequence, each)).toBe('appended')
    }
    expect(await log.read(10)).toEqual(entries.slice(10))
    await log.close()
    const again = await open()
    expect((await again.load()).entries).toEqual(entries)
    await again.close()
  })

  it('keeps a snapshot and the entries after it', async () => {
    const log = await open()
    await log.load()
    await log.append(0, entry(1))
    const snapshot = snapshotOf(1)
    await log.compact(1, snapshot)
    await log.append(1, entry(2))
    await log.close()
    const again = await open()
    expect(await again.load()).toEqual({ snapshot, entries: [entry(2)], nextSequence: 2 })
    await again.append(2, entry(3))
    await again.close()
    const third = await open()
    expect((await third.load()).entries).toEqual([entry(2), entry(3)])
    await third.close()
  })

  it('continues the sequence after a snapshot, with or without entries after it', async () => {
    const log = await open()
    await log.load()
    await log.append(0, entry(1))
    const snapshot = snapshotOf(1)
    await log.compact(1, snapshot)
    await log.close()
    const again = await open()
    expect(await again.load()).toEqual({ snapshot, entries: [], nextSequence: 1 })
    expect(await again.read(1)).toEqual([])
    await again.close()
  })

  it('opens the directory of an earlier release, and continues it in place', async () => {
    const store = await openLevelStore(join(data, '__metadata'))
    const put = (key: string, value: string) =>
      ({ type: 'put', key: Buffer.from(key), value: Buffer.from(value) }) as const
    await store.write([
      put(
        's',
        '{"clusterId":"c","topics":[{"name":"t","id":"i","partitions":2,"configs":{}}],"deleting":[],"nextProducerId":5}',
      ),
      put('n', '1000'),
      put('c0000000000001000', '{"type":"createPartitions","id":"i","partitions":3}'),
    ])
    await store.close()
    const log = await open()
    const history = await log.load()
    expect(history.nextSequence).toBe(1001)
    const { view } = new MetadataFold(history, 7)
    expect(view.topic('t')!.partitions.map(({ replicas }) => replicas)).toEqual([[7], [7], [7]])
    expect(await log.append(1001, entry(9))).toBe('appended')
    await log.close()
    const again = await open()
    const { entries } = await again.load()
    expect(entries).toEqual([{ type: 'createPartitions', id: 'i', partitions: 3 }, entry(9)])
    await again.close()
  })

  it('refuses an append at a sequence that is taken, and delivers each entry once', async () => {
    const log = await open()
    await log.load()
    const delivered: [number, StoredEntry][] = []
    const unsubscribe = log.subscribe(0, (...each) => delivered.push(each))
    expect(await log.append(0, entry(1))).toBe('appended')
    expect(await log.append(0, entry(2))).toBe('conflict')
    expect(await log.read(0)).toEqual([entry(1)])
    expect(delivered).toEqual([[0, entry(1)]])
    unsubscribe()
    await log.append(1, entry(2))
    expect(delivered).toHaveLength(1)
    await log.close()
  })

  it('reopens the store after a failed write, and delivers the entries that were written', async () => {
    let failsAfterWrite = false
    const log = await openLevelMetadataLog(
      { directory: join(data, '__metadata'), makeRoom: async () => false },
      async (directory) => {
        const store = await openLevelStore(directory)
        return {
          getMany: (keys) => store.getMany(keys),
          entries: (range, atOnce) => store.entries(range, atOnce),
          snapshot: () => store.snapshot(),
          async write(changes) {
            await store.write(changes)
            if (failsAfterWrite) throw Object.assign(new Error('EIO'), { code: 'EIO' })
          },
          close: () => store.close(),
        }
      },
    )
    await log.load()
    const delivered: number[] = []
    log.subscribe(0, (sequence) => delivered.push(sequence))
    failsAfterWrite = true
    await expect(log.append(0, entry(1))).rejects.toMatchObject({ code: 'EIO' })
    expect(delivered).toEqual([])
    failsAfterWrite = false
    expect(await log.read(0)).toEqual([entry(1)])
    expect(delivered).toEqual([0])
    expect(await log.append(0, entry(2))).toBe('conflict')
    expect(await log.append(1, entry(2))).toBe('appended')
    expect(delivered).toEqual([0, 1])
    await log.close()
  })

  it('refuses a log with a gap', async () => {
    const store = await openLevelStore(join(data, '__metadata'))
    const value = Buffer.from(JSON.stringify(entry(1)))
    const keys = [0, 2].map((sequence) => Buffer.from(`c000000000000000${sequence}`))
    await store.write(keys.map((key) => ({ type: 'put', key, value })))
    await store.close()
    const log = await open()
    await expect(log.load()).rejects.toMatchObject({ code: 'METADATA_CORRUPT' })
    await log.close()
  })

  it('names the data directory if another process has locked it', async () => {
    const log = await open()
    const error = await open().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DirectoryInUseError)
    expect(error).toMatchObject({ directory: data })
    await log.close()
  })
})
