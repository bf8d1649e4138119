// The metadata log on embedded coordination: order, snapshots, failing writes, the lock, and the
// metadata of earlier releases.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../../broker/controller/metadata/metadataCommand.ts'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import type {
  MetadataLog,
  StoredEntry,
} from '../../../../broker/controller/metadata/metadataLog.ts'
import { upgradeSnapshot } from '../../../../broker/controller/metadata/metadataUpgrade.ts'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk/disk.ts'
import type {
  KeyValueChange,
  KeyValueStore,
  OpenKeyValueStore,
} from '../../../../protocol/runtime/store/keyValueStore.ts'
import { openLevelStore } from '../../../../protocol/runtime/store/levelStore.ts'
import { openEmbeddedMetadata } from './embeddedMetadata.ts'

type Write = KeyValueStore['write']

/** Stores on the disk whose writes go through `write`. */
function storesWith(
  write: (changes: readonly KeyValueChange[], through: Write) => Promise<void>,
): OpenKeyValueStore {
  return async (directory) => {
    const store = await openLevelStore(directory)
    return {
      getMany: (keys) => store.getMany(keys),
      entries: (range, atOnce) => store.entries(range, atOnce),
      snapshot: () => store.snapshot(),
      write: (changes) => write(changes, (through) => store.write(through)),
      close: () => store.close(),
    }
  }
}

describe('CoordinatedMetadataLog', () => {
  let data: string

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'millrace-metadata-'))
  })

  afterEach(() => rm(data, { recursive: true, force: true }))

  const open = () => openEmbeddedMetadata(data)
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

  it('keeps a snapshot of several megabytes, and only the newest one', async () => {
    const log = await open()
    await log.load()
    const configs = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, at) => [`group-${at}`, { 'some.config': 'x'.repeat(60) }]),
    )
    const { state } = snapshotOf(1)
    const snapshot = { version: 1, state: { ...state, groupConfigs: configs } } as const
    await log.append(0, entry(1))
    await log.compact(1, snapshotOf(1))
    await log.append(1, entry(2))
    await log.compact(2, snapshot)
    await log.close()
    const again = await open()
    expect(await again.load()).toEqual({ snapshot, entries: [], nextSequence: 2 })
    await again.close()
  })

  describe('the metadata of an earlier release', () => {
    const put = (key: string, value: string) =>
      ({ type: 'put', key: Buffer.from(key), value: Buffer.from(value) }) as const

    async function release(): Promise<void> {
      const store = await openLevelStore(join(data, '__metadata'))
      const topic = '{"name":"t","id":"i","partitions":2,"configs":{}}'
      await store.write([
        put('s', `{"clusterId":"c","topics":[${topic}],"deleting":[],"nextProducerId":5}`),
        put('n', '1000'),
        put('c0000000000001000', '{"type":"createPartitions","id":"i","partitions":3}'),
      ])
      await store.close()
    }

    async function isContinued(log: MetadataLog): Promise<void> {
      const history = await log.load()
      expect(history.nextSequence).toBe(1001)
      const { view } = new MetadataFold(history, 7)
      expect(view.topic('t')!.partitions.map(({ replicas }) => replicas)).toEqual([[7], [7], [7]])
    }

    it('is opened and continued', async () => {
      await release()
      const log = await open()
      await isContinued(log)
      expect(await log.append(1001, entry(9))).toBe('appended')
      await log.close()
      const again = await open()
      const { entries } = await again.load()
      expect(entries).toEqual([{ type: 'createPartitions', id: 'i', partitions: 3 }, entry(9)])
      await again.close()
    })

    it('is refused by the earlier release from then on', async () => {
      await release()
      await (await open()).close()
      const store = await openLevelStore(join(data, '__metadata'))
      const [snapshot, kept] = await store.getMany([
        Buffer.from('s'),
        Buffer.from('c0000000000001000'),
      ])
      await store.close()
      expect(kept).toBeUndefined()
      const stored = JSON.parse(Buffer.from(snapshot!).toString())
      expect(() => upgradeSnapshot(stored, 7)).toThrow('entries of version 2')
    })

    it('is moved as a whole, wherever the move is cut off', async () => {
      let cuts = 0
      for (let wasMoved = false; !wasMoved; cuts++) {
        await rm(data, { recursive: true })
        await release()
        let writes = 0
        const cutOff = await openEmbeddedMetadata(
          data,
          storesWith(async (changes, write) => {
            if (++writes > cuts) throw Object.assign(new Error('EIO'), { code: 'EIO' })
            await write(changes)
          }),
        ).catch(() => undefined)
        wasMoved = cutOff !== undefined
        await cutOff?.close()
        const log = await open()
        await isContinued(log)
        await log.close()
      }
      // The log's identity, the nodes, the root, the retirement, and the note of it.
      expect(cuts).toBe(6)
    })

    it('is refused if an entry is missing', async () => {
      const store = await openLevelStore(join(data, '__metadata'))
      const value = JSON.stringify(entry(1))
      await store.write([put('c0000000000000000', value), put('c0000000000000002', value)])
      await store.close()
      await expect(open()).rejects.toMatchObject({ code: 'METADATA_CORRUPT' })
    })
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

  it('finds out by reading that a write which failed was written', async () => {
    let failsAfterWrite = false
    const log = await openEmbeddedMetadata(
      data,
      storesWith(async (changes, write) => {
        await write(changes)
        if (failsAfterWrite) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      }),
    )
    await log.load()
    const delivered: number[] = []
    log.subscribe(0, (sequence) => delivered.push(sequence))
    failsAfterWrite = true
    expect(await log.append(0, entry(1))).toBe('appended')
    failsAfterWrite = false
    expect(await log.read(0)).toEqual([entry(1)])
    expect(await log.append(0, entry(2))).toBe('conflict')
    expect(await log.append(1, entry(2))).toBe('appended')
    expect(delivered).toEqual([0, 1])
    await log.close()
  })

  it.each(['EIO', 'ENOSPC'])('rejects with %s when nothing could be written', async (code) => {
    let fails = false
    const log = await openEmbeddedMetadata(
      data,
      storesWith(async (changes, write) => {
        if (fails) throw Object.assign(new Error(code), { code })
        await write(changes)
      }),
    )
    await log.load()
    await log.append(0, entry(1))
    fails = true
    await expect(log.append(1, entry(2))).rejects.toMatchObject({ code })
    expect(await log.read(0)).toEqual([entry(1)])
    fails = false
    expect(await log.append(1, entry(3))).toBe('appended')
    expect(await log.read(0)).toEqual([entry(1), entry(3)])
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
