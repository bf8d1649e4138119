// The metadata log on the disk: order, snapshots, and the lock.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLevelMetadataLog } from '../../../../broker/controller/metadata/levelMetadataLog.ts'
import type {
  MetadataEntry,
  SnapshotEntry,
} from '../../../../broker/controller/metadata/metadataCommand.ts'
import { DirectoryInUseError } from '../../../../protocol/runtime/disk.ts'

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

  it('returns the entries in their order', async () => {
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

  it('keeps a snapshot and what came after it', async () => {
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

  it('continues the sequence after a snapshot, whether or not one followed it', async () => {
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

  it('names the data folder when another one has it open', async () => {
    const log = await open()
    const error = await open().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(DirectoryInUseError)
    expect(error).toMatchObject({ directory: data })
    await log.close()
  })
})
