// A disk that other programs have filled completely: the broker starts, serves reads, deletes
// topics and records, and accepts writes again as soon as space is free. Runs once in memory, and
// once on a real file system with the metadata log in `level` and the broker as a process that is
// killed.

import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmdirSync, writeSync } from 'node:fs'
import { type FileHandle, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { MetadataEntry } from '../../../broker/controller/metadata/metadataCommand.ts'
import type { DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { settle } from '../../../protocol/runtime/time/manualClock.ts'
import { eventually } from '../../interop/eventually.ts'
import { openEmbeddedMetadata } from '../controller/metadata/embeddedMetadata.ts'
import { MemoryBroker } from '../server/memoryBroker.ts'
import { AdminRequests } from './adminRequests.ts'
import { BrokerProcess } from './brokerProcess.ts'

/** A broker on a small disk, on which another program has files. */
interface SmallWorld {
  /** Size of each record that fills the disk. */
  readonly recordBytes: number
  start(): Promise<AdminRequests>
  kill(): Promise<void>
  /** Stops the broker, as cleanly as a full disk allows. */
  stop(): Promise<void>
  /** Another program writes until the disk is full. */
  fill(): Promise<void>
  /** Waits until the broker has its reserve. */
  reserved(): Promise<void>
  /** Retries until it succeeds: the broker needs some seconds to recover. */
  eventually(attempt: () => Promise<void>): Promise<void>
  end(): Promise<void>
}

const settings = {
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
  'log.segment.delete.delay.ms': 0,
  // The records have old timestamps.
  'log.retention.ms': -1,
}

class MemoryWorld implements SmallWorld {
  readonly recordBytes = 4_000
  #broker!: MemoryBroker
  #filler: DiskFile | undefined
  #fillerBytes = 0
  #isStopped = false

  async start(): Promise<AdminRequests> {
    if (!this.#broker) {
      this.#broker = await MemoryBroker.start({
        ...settings,
        'log.dir.reserved.bytes': 1024 * 1024,
        'flush.journal.file.bytes': 32 * 1024,
      })
      await this.#broker.stop()
      this.#broker.disk = new MemoryDisk({ sizeBytes: 6 * 1024 * 1024 })
      this.#broker.metadataLog.entries = []
      await this.#broker.start()
      await this.#pass(6)
    }
    if (this.#isStopped) await this.#broker.start()
    this.#isStopped = false
    return new AdminRequests(await this.#broker.client())
  }

  kill(): Promise<void> {
    return this.#broker.kill()
  }

  async stop(): Promise<void> {
    await this.#broker
      .stop()
      .catch((error) => expect(error).toMatchObject({ code: 'LOG_DISK_FULL' }))
    this.#isStopped = true
  }

  async fill(): Promise<void> {
    // The last appends are written to their segment within a second.
    await this.#pass(2)
    this.#filler ??= await this.#broker.disk.open('/filler', 'write')
    // A kill closes the files of this process, and this one with them.
    await this.#filler.write([], 0).catch(async () => {
      this.#filler = await this.#broker.disk.open('/filler', 'write')
    })
    const file = this.#filler
    try {
      for (;;) {
        await file.write([Buffer.alloc(4096)], this.#fillerBytes)
        this.#fillerBytes += 4096
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    }
    // Until the broker has detected the full disk.
    await this.#pass(6)
  }

  async reserved(): Promise<void> {
    await this.#pass(6)
    expect(await this.#broker.disk.list('/data')).toContain('__reserve')
  }

  async eventually(attempt: () => Promise<void>): Promise<void> {
    await this.#pass(15)
    await attempt()
  }

  async end(): Promise<void> {
    await this.#broker.stop()
  }

  async #pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      await this.#broker.clock.advanceAndSettle(1000)
      await settle()
    }
  }
}

class TmpfsWorld implements SmallWorld {
  readonly recordBytes = 100_000
  readonly #mount = mkdtempSync(join(tmpdir(), 'millrace-full-'))
  #broker: BrokerProcess | undefined
  #filler: FileHandle | undefined
  #fillerBytes = 0

  constructor() {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', this.#mount])
  }

  async start(): Promise<AdminRequests> {
    // The configuration file is not on the full disk.
    const config = `${this.#mount}.properties`
    const lines = {
      ...settings,
      'log.dir.reserved.bytes': 8 * 1024 * 1024,
      'flush.journal.file.bytes': 1024 * 1024,
    }
    const text = Object.entries(lines).map(([key, value]) => `${key}=${value}\n`)
    await writeFile(config, text.join(''))
    const data = join(this.#mount, 'data')
    this.#broker = await BrokerProcess.start({ data, config })
    if (!this.#filler) await this.reserved()
    return new AdminRequests(await this.#broker.client())
  }

  async kill(): Promise<void> {
    await this.#broker?.kill()
  }

  async stop(): Promise<void> {
    const { code, said } = await this.#broker!.stop()
    // A failure to save is reported in one line, not with the stack of an unexpected exception.
    if (code === 0) expect(said).toEqual([])
    else expect(said).toEqual([expect.stringMatching(/^millrace broker: .* the disk is full/)])
  }

  async fill(): Promise<void> {
    this.#filler ??= await open(join(this.#mount, 'filler'), 'w')
    try {
      for (;;) {
        const { bytesWritten } = await this.#filler.write(Buffer.alloc(4096), 0, 4096)
        this.#fillerBytes += bytesWritten
      }
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' })
    }
  }

  async reserved(): Promise<void> {
    const isThere = () => existsSync(join(this.#mount, 'data/__reserve'))
    await eventually('the reserve is made', isThere)
  }

  async eventually(attempt: () => Promise<void>): Promise<void> {
    const succeeds = () =>
      attempt().then(
        () => true,
        () => false,
      )
    await eventually('writes are taken again', succeeds)
  }

  async end(): Promise<void> {
    await this.kill()
    await this.#filler?.close()
    execFileSync('umount', ['-l', this.#mount])
    rmdirSync(this.#mount)
    await rm(`${this.#mount}.properties`, { force: true })
  }
}

async function scenario(world: SmallWorld): Promise<void> {
  let admin = await world.start()
  expect(await admin.createTopics(['large', 1], ['larger', 1], ['kept', 1])).toEqual([0, 0, 0])
  for (const name of ['large', 'larger']) {
    const segmentBytes = String(world.recordBytes * 8)
    expect(await admin.setConfig(2, name, 'internal.segment.bytes', segmentBytes)).toBe(0)
  }
  const acknowledged: string[] = []
  /**
   * Returns whether the record is accepted: while it fits into the commit journal it may be,
   * although the disk is full.
   */
  const produce = async (record: string) => {
    const errorCode = await admin.produce('kept', 0, [record])
    if (errorCode === 0) acknowledged.push(record)
    else expect(errorCode).toBe(storageError)
    return errorCode === 0
  }
  /** Everything can be read, no write succeeds for long, and every request is answered. */
  const expectFull = async () => {
    await world.eventually(async () => expect(await produce('perhaps')).toBe(false))
    expect(await admin.read('kept', 0)).toEqual(acknowledged)
    const read = [await admin.read('large', 0), await admin.read('larger', 0)] as string[][]
    expect(read.map((values) => values.length)).toEqual([Math.ceil(count / 2), count >> 1])
    expect(await admin.committed('g', 'kept')).toBe(1)
    expect((await admin.describeTopic('kept')).errorCode).toBe(0)
  }
  expect(await produce('before')).toBe(true)
  expect(await admin.commit('g', 'kept', 1)).toBe(0)
  expect(await admin.commit('g', 'larger', 1)).toBe(0)
  const value = 'x'.repeat(world.recordBytes)
  let count = 0
  for (; ; count++) {
    const code = await admin.produce(count % 2 === 0 ? 'large' : 'larger', 0, [value])
    if (code === storageError) break
    expect(code).toBe(0)
  }
  await world.fill()
  await expectFull()

  // Stopped or killed on a full disk, it starts on a full disk.
  await world.stop()
  admin = await world.start()
  await expectFull()
  await world.kill()
  admin = await world.start()
  await expectFull()

  // A deletion frees space, a second time too, after another program has used it up.
  expect(await admin.deleteRecords('large', -1)).toBe(0)
  await world.reserved()
  await world.fill()
  await produce('perhaps')
  expect(await admin.deleteTopics('larger')).toEqual([0])
  expect((await admin.topicNames()).sort()).toEqual(['kept', 'large'])

  await world.eventually(async () => {
    expect(await produce('after')).toBe(true)
    expect(await admin.commit('g', 'kept', 2)).toBe(0)
    expect(await admin.createTopics(['larger', 1])).toEqual([0])
  })
  expect(await admin.produce('larger', 0, ['again'])).toBe(0)
  expect((await admin.initProducerId()).errorCode).toBe(0)

  await world.kill()
  admin = await world.start()
  expect(await admin.read('kept', 0)).toEqual(acknowledged)
  expect(await admin.read('larger', 0)).toEqual(['again'])
  expect(await admin.read('large', 0)).toBe(offsetOutOfRange)
  expect(await admin.committed('g', 'kept')).toBe(2)
  expect(await admin.committed('g', 'larger')).toBe(-1)
}

const offsetOutOfRange = 1
const storageError = 56

test('a broker in memory', async () => {
  const world = new MemoryWorld()
  await scenario(world)
  await world.end()
})

/** Mounting a file system needs root. */
const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mountWorks()
if (!canMount)
  console.log('left out: a full disk in earnest, which needs the right to mount a tmpfs')

// Four processes, one after another, on a machine that may be busy.
test.skipIf(!canMount)('a broker process on a tmpfs', { timeout: 240_000 }, async () => {
  const world = new TmpfsWorld()
  // Also after a timeout: no process and no mount may stay.
  onTestFinished(() => world.end())
  await scenario(world)
})

// LevelDB alone loses entries: a record that was written in part makes later ones unreadable
// (decision 17).
test.skipIf(!canMount)('the metadata log loses nothing that it acknowledged', async () => {
  const mount = mkdtempSync(join(tmpdir(), 'millrace-full-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mount])
  try {
    const log = await openEmbeddedMetadata(mount)
    await log.load()
    await writeFile(join(mount, 'other'), Buffer.alloc(100_000))
    const entry = (next: number): MetadataEntry => {
      return { version: 1, command: { type: 'reserveProducerIds', next } }
    }
    let sequence = 0
    let failures = 0
    /** Appends entries as the controller does, until one fails. */
    const append = async (upTo: number) => {
      while (sequence < upTo) {
        const failed = await log.append(sequence, entry(sequence)).catch((error) => error)
        if (failed !== 'appended') {
          expect(failed).toMatchObject({ code: 'ENOSPC' })
          failures++
          return
        }
        sequence++
      }
    }
    await append(10)
    const filler = openSync(join(mount, 'filler'), 'w')
    expect(() => {
      for (;;) writeSync(filler, Buffer.alloc(4096))
    }).toThrow('ENOSPC')
    await append(1000)
    expect(failures).toBe(1)
    // Without space, the outcome cannot even be read.
    await expect(log.read(sequence)).rejects.toMatchObject({ code: 'ENOSPC' })
    await rm(join(mount, 'other'))
    expect(await log.read(sequence)).toEqual([])
    await append(sequence + 100)
    expect(failures).toBe(1)
    await log.close()
    closeSync(filler)
    const again = await openEmbeddedMetadata(mount)
    const { entries, nextSequence } = await again.load()
    expect(nextSequence).toBe(sequence)
    expect(entries).toEqual(Array.from({ length: sequence }, (_, number) => entry(number)))
    await again.close()
  } finally {
    execFileSync('umount', ['-l', mount])
    rmdirSync(mount)
  }
})

function mountWorks(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' })
    execFileSync('umount', ['-l', directory])
    return true
  } catch {
    return false
  } finally {
    rmdirSync(directory)
  }
}
