// The metadata log on the disk: order, snapshots, and the lock.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLevelMetadataLog } from '../../../broker/controller/levelMetadataLog.ts'
import type { MetadataCommand } from '../../../broker/controller/metadataState.ts'
import { DirectoryInUseError } from '../../../protocol/runtime/disk.ts'

describe('LevelMetadataLog', () => {
  let data: string

  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'millrace-metadata-'))
  })

  afterEach(() => rm(data, { recursive: true, force: true }))

  const open = () =>
    openLevelMetadataLog({ directory: join(data, '__metadata'), makeRoom: async () => false })
  const command = (next: number): MetadataCommand => ({ type: 'reserveProducerIds', next })

  it('gives back the commands in their order', async () => {
    const log = await open()
    expect(await log.load()).toEqual({ snapshot: undefined, commands: [], nextSequence: 0 })
    const commands = Array.from({ length: 12 }, (_, index) => command(index + 1))
    for (const [sequence, each] of commands.entries()) await log.append(sequence, each)
    expect(await log.read(10)).toEqual(commands.slice(10))
    await log.close()
    const again = await open()
    expect((await again.load()).commands).toEqual(commands)
    await again.close()
  })

  it('keeps a snapshot and what came after it', async () => {
    const log = await open()
    await log.load()
    await log.append(0, command(1))
    const snapshot = { clusterId: 'c', topics: [], deleting: [], nextProducerId: 1 }
    await log.compact(1, snapshot)
    await log.append(1, command(2))
    await log.close()
    const again = await open()
    expect(await again.load()).toEqual({ snapshot, commands: [command(2)], nextSequence: 2 })
    await again.append(2, command(3))
    await again.close()
    const third = await open()
    expect((await third.load()).commands).toEqual([command(2), command(3)])
    await third.close()
  })

  it('numbers commands on after a snapshot, whether or not one followed it', async () => {
    const log = await open()
    await log.load()
    await log.append(0, command(1))
    const snapshot = { clusterId: 'c', topics: [], deleting: [], nextProducerId: 1 }
    await log.compact(1, snapshot)
    await log.close()
    const again = await open()
    expect(await again.load()).toEqual({ snapshot, commands: [], nextSequence: 1 })
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
