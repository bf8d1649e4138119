// A segment that is written and synced at the same time: every append that the commit journal
// expects to be synced is synced, whichever operation started first.

import { describe, expect, it } from 'vitest'
import { defaultLogConfig } from '../../../../broker/log/logConfig.ts'
import { IndexCache } from '../../../../broker/log/segment/indexes/indexCache.ts'
import { Segment } from '../../../../broker/log/segment/segment.ts'
import { RecordBatchBuilder } from '../../../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Disk, DiskFile } from '../../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'

const directory = '/log'
const bytes = Buffer.from('a record')

/** Writes to files start immediately and end when the test releases them. */
class SlowDisk {
  readonly memory = new MemoryDisk()
  readonly #held: (() => void)[] = []
  syncs = 0

  get disk(): Disk {
    const memory = this.memory
    const open: Disk['open'] = async (path, mode) => this.#slow(await memory.open(path, mode))
    return new Proxy(memory, {
      get: (target, name) => {
        if (name === 'open') return open
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** Ends the oldest write. */
  release(): void {
    this.#held.shift()!()
  }

  #slow(file: DiskFile): DiskFile {
    return {
      path: file.path,
      read: (into, position) => file.read(into, position),
      write: async (chunks, position) => {
        await new Promise<void>((resolve) => {
          this.#held.push(resolve)
        })
        await file.write(chunks, position)
      },
      sync: () => {
        this.syncs++
        return file.sync()
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      stat: () => file.stat(),
      close: () => file.close(),
    }
  }
}

function batch(): Buffer {
  const builder = new RecordBatchBuilder()
  builder.appendRange(0, bytes, 0, bytes.length)
  return builder.build()
}

async function newSegment(slow: SlowDisk): Promise<Segment> {
  await slow.memory.makeDirectory(directory)
  const place = { disk: slow.disk, directory, config: defaultLogConfig, cache: new IndexCache() }
  const segment = await Segment.create(place, 0)
  await slow.memory.syncDirectory('/')
  return segment
}

async function durableBytes({ memory }: SlowDisk, segment: Segment): Promise<number> {
  memory.crash()
  return (await memory.readFile(segment.path))!.length
}

describe('syncing a segment for the journal', () => {
  it('waits for writes in progress', async () => {
    const slow = new SlowDisk()
    const segment = await newSegment(slow)
    const appending = segment.append([batch()])
    const syncing = segment.syncJournaled()
    await untilIdle()
    expect(slow.syncs).toBe(0)
    slow.release()
    await Promise.all([appending, syncing])
    expect(await durableBytes(slow, segment)).toBe(segment.sizeBytes)
  })

  it('covers bytes that were written during another sync', async () => {
    const slow = new SlowDisk()
    const segment = await newSegment(slow)
    const first = segment.append([batch()])
    await untilIdle()
    slow.release()
    await first
    const syncing = segment.sync()
    const second = segment.append([batch()])
    await syncing
    await untilIdle()
    slow.release()
    await second
    await segment.syncJournaled()
    expect(slow.syncs).toBe(2)
    expect(await durableBytes(slow, segment)).toBe(2 * batch().length)
  })

  it('does nothing if nothing was appended', async () => {
    const slow = new SlowDisk()
    const segment = await newSegment(slow)
    const appending = segment.append([batch()])
    await untilIdle()
    slow.release()
    await appending
    await segment.syncJournaled()
    await segment.syncJournaled()
    expect(slow.syncs).toBe(1)
  })
})

/** Until everything that does not wait for a held write has run. */
async function untilIdle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await undefined
}
