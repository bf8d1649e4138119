// What a file channel must survive that no other test reaches: a loss of power after a SIGKILL, a
// log file that is drained while writes to it are queued, a take whose record a full disk refused.
// Each was found by `npm run simulate -- --system agent`.

import { expect, test } from 'vitest'
import type { Channel } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import type { SourcePosition } from '../../../agent/channels/sourcePosition.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { mortalDisk } from '../../broker/log/mortalDisk.ts'
import { component } from '../component.ts'
import { bodiesOf, putBodies } from './putBodies.ts'

const sink = 'k1'
const fileBytes = 1024

async function opened(disk: Disk, dataDirs = '/data'): Promise<Channel> {
  const lines = {
    ...{ type: 'file', checkpointDir: '/checkpoint', dataDirs, maxFileSize: fileBytes },
    ...{ minimumRequiredSpace: 0, 'keep-alive': 0 },
  }
  const channel = fileChannel(component('channels', 'c1', lines), {
    ...{ clock: new ManualClock(), disk, scheduler: systemScheduler, logger: silentLogger },
    resolvePath: (path) => path,
  })
  await channel.start()
  return channel
}

async function take(channel: Channel, max: number, stamp?: string) {
  const transaction = channel.transaction()
  transaction.begin()
  const batches = await transaction.take(max)
  if (stamp !== undefined) await transaction.prepare(sink, Buffer.from(stamp))
  return { transaction, bodies: bodiesOf(batches) }
}

async function filesIn(disk: Disk, dataDirs: string): Promise<string[]> {
  const names = await Promise.all(dataDirs.split(',').map((directory) => disk.list(directory)))
  return names.flat().filter((name) => name.startsWith('log-'))
}

function position(end: number): SourcePosition {
  const file = { source: 'r1', path: '/log', device: 1, inode: 2, generation: 0 }
  return { ...file, start: end - 1, end, fingerprint: { lengthBytes: 0, crc: 0 } }
}

test('what a killed process had not synced is durable once the channel is open again', async () => {
  for (let seed = 0; seed < 20; seed++) {
    let atSync = () => {}
    const disk = new MemoryDisk({
      beforeChange: (operation) => {
        if (operation === 'sync') atSync()
      },
    })
    const process = mortalDisk(disk)
    const first = await opened(process)
    await putBodies(first, ['durable'])
    await new Promise<void>((resolve) => {
      atSync = () => {
        process.kill()
        resolve()
        throw new Error('killed')
      }
      putBodies(first, ['written by a process that is killed before it has synced']).catch(() => {})
    })
    atSync = () => {}
    disk.endProcess()
    const second = mortalDisk(disk)
    await putBodies(await opened(second), ['after the kill'])
    second.kill()
    disk.crash({ keepUnsynced: seededRandom(seed), reorder: true })
    const { bodies } = await take(await opened(disk), 10)
    expect(bodies[0]).toBe('durable')
    expect(bodies.at(-1)).toBe('after the kill')
  }
})

test('a drained log file is kept while writes to it are queued', async () => {
  let atWrite = () => {}
  const disk = new MemoryDisk({
    beforeChange: (operation) => {
      if (operation === 'write') atWrite()
    },
  })
  const channel = await opened(disk)
  await putBodies(channel, ['x'.repeat(fileBytes - 200)])
  const { transaction } = await take(channel, 1)
  const puts: Promise<void>[] = []
  // While the record of the take is written, with which the channel is empty: positions only, with
  // which the file is full and the next one begins.
  atWrite = () => {
    atWrite = () => {}
    for (let end = 1; end <= 8; end++) puts.push(putBodies(channel, [], position(end)))
  }
  await transaction.commit()
  await putBodies(channel, [])
  await Promise.all(puts)
  await putBodies(channel, ['last'])
  await channel.stop()
  const again = await opened(disk)
  expect(again.lastPosition('r1', { device: 1, inode: 2 })?.end).toBe(8)
  expect((await take(again, 10)).bodies).toEqual(['last'])
})

test('a prepared take is committed although a full disk refused its record, and its events are gone', async () => {
  let isFull = false
  const disk = new MemoryDisk({
    beforeChange: (operation) => {
      if (isFull && operation === 'write') {
        throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' })
      }
    },
  })
  const channel = await opened(disk)
  await putBodies(channel, ['x'.repeat(fileBytes)])
  // In the next file: a take of an event of the file before and one of its own.
  await putBodies(channel, ['second'])
  const { transaction } = await take(channel, 2, 'stamp')
  await putBodies(channel, ['third'])
  isFull = true
  await transaction.commit()
  await expect(putBodies(channel, ['refused'])).rejects.toThrow('no space')
  // Repairing the log deletes the drained file before the record of the take can be written.
  await channel.stop()
  isFull = false
  const again = await opened(disk)
  expect(await again.resumePrepared(sink)).toEqual([])
  expect((await take(again, 10)).bodies).toEqual(['third'])
})

test('a data directory whose creation was not synced is durable once the channel is open', async () => {
  let syncs = 0
  const disk = new MemoryDisk({
    beforeChange: (operation, path) => {
      // The first one is for the directory that is locked.
      if (operation !== 'syncDirectory' || path !== '/' || ++syncs !== 2) return
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
    },
  })
  await expect(opened(disk)).rejects.toThrow('EMFILE')
  await putBodies(await opened(disk), ['durable'])
  disk.crash()
  expect((await take(await opened(disk), 10)).bodies).toEqual(['durable'])
})

test('log files that restarts have renamed are complete after a loss of power', async () => {
  const disk = new MemoryDisk()
  const dataDirs = '/data1,/data2'
  const first = await opened(disk, dataDirs)
  await putBodies(first, ['first'])
  await first.stop()
  // The file of the second start replaces that of the first one, which has no events.
  for (let start = 0; start < 2; start++) await (await opened(disk, dataDirs)).stop()
  const second = await opened(disk, dataDirs)
  expect(await filesIn(disk, dataDirs)).toHaveLength(2)
  // The next file is in the other directory, with the number that the renamed file had.
  await putBodies(second, ['x'.repeat(fileBytes)])
  await putBodies(second, ['last'])
  expect(await filesIn(disk, dataDirs)).toHaveLength(3)
  disk.crash()
  const { bodies } = await take(await opened(disk, dataDirs), 10)
  expect(bodies.map((body) => body.slice(0, 5))).toEqual(['first', 'xxxxx', 'last'])
})

test('a log that version 1 of the format has written is opened', async () => {
  // A put of four events, a take of the first, a prepared take of the second; after a restart, a
  // put of one event.
  const files = [
    [
      '8cb7940b0000001400000000010100000000000000000000000000000001000005dc65cc000000480000',
      '000f0201000000000000000004edc2deaf01027231042f6c6f673ff00000000000004000000000000000',
      '00000000000000000000000000000000040000000000000000030003000500046f6e6574776f74687265',
      '65666f75727e3bcdb70000001300000000040000000000000000010000000000000000015e0be5c10000',
      '001c00000000030000000000000001026b3101000000000000000101057374616d70',
    ].join(''),
    [
      '22fb9a5b0000004b0000000001010000000000000004000000000000000201027231042f6c6f673ff000',
      '000000000040000000000000000000000000000000000000000000000004000000000001026b31057374',
      '616d705d6a716100000042000000040201000000000000000401c931c76401027231042f6c6f673ff000',
      '000000000040000000000000000000000000000000040000000000000008000000000000000004666976',
      '65',
    ].join(''),
  ]
  const disk = new MemoryDisk()
  await disk.makeDirectory('/data')
  for (const [index, hex] of files.entries()) {
    await disk.writeFileAtomic(`/data/log-${index + 1}`, Buffer.from(hex, 'hex'))
  }
  // Also after the restart that has replaced the snapshots by ones of the current version.
  for (let start = 0; start < 2; start++) {
    const channel = await opened(disk)
    const [resumed] = await channel.resumePrepared(sink)
    expect(resumed).toMatchObject({ stamp: Buffer.from('stamp'), batches: [{ count: 1 }] })
    expect(`${resumed!.batches[0]!.body(0)}`).toBe('two')
    resumed!.transaction.detach()
    const { transaction, bodies } = await take(channel, 10)
    expect(bodies).toEqual(['three', 'four', 'five'])
    await transaction.rollback()
    expect(channel.lastPosition('r1', { device: 1, inode: 2 })?.end).toBe(8)
    await channel.stop()
  }
})
