// A file channel on a file system that is nearly full (minimumRequiredSpace) or full.

import { describe, expect, test } from 'vitest'
import type { Channel } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import type { SourcePosition } from '../../../agent/channels/sourcePosition.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { MemoryLogger } from '../../memoryLogger.ts'
import { component } from '../component.ts'
import { bodiesOf, putBodies } from './putBodies.ts'

const requiredBytes = 1000

/** A channel on a disk whose free space the test sets. */
async function opened(freeBytes: number) {
  const space = { freeBytes }
  const configuration = component('channels', 'c1', {
    type: 'file',
    checkpointDir: '/checkpoint',
    dataDirs: '/data',
    minimumRequiredSpace: requiredBytes,
  })
  const channel = fileChannel(configuration, {
    clock: new ManualClock(),
    disk: new MemoryDisk(space),
    scheduler: systemScheduler,
    logger: silentLogger,
    resolvePath: (path) => path,
  })
  await channel.start()
  return { channel, space }
}

function put(channel: Channel, body: string): Promise<void> {
  return putBodies(channel, [body])
}

async function takeAll(channel: Channel): Promise<string[]> {
  const transaction = channel.transaction()
  transaction.begin()
  const batches = await transaction.take(100)
  await transaction.commit()
  transaction.close()
  return bodiesOf(batches)
}

const noSpace = {
  code: 'CHANNEL_SPACE',
  message:
    'channel c1: less than minimumRequiredSpace (1000 bytes) is free in /data: puts are refused; free space or lower minimumRequiredSpace',
}

test('a put without the required free space is refused and not stored', async () => {
  const { channel } = await opened(requiredBytes - 1)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  expect(channel.size).toBe(0)
  await channel.stop()
})

test('a put succeeds with exactly the required free space', async () => {
  const { channel } = await opened(requiredBytes)
  await put(channel, 'x')
  expect(await takeAll(channel)).toEqual(['x'])
  await channel.stop()
})

test('events can be taken without the required free space', async () => {
  const { channel, space } = await opened(requiredBytes)
  const body = 'x'.repeat(17 * 1024 * 1024)
  await put(channel, body)
  space.freeBytes = 0
  // The channel checks the free space again only after it has written some megabytes.
  await put(channel, body)
  await expect(put(channel, 'z')).rejects.toMatchObject(noSpace)
  expect((await takeAll(channel)).map(({ length }) => length)).toEqual([body.length, body.length])
  await channel.stop()
})

test('puts succeed without a restart once space is free', async () => {
  const { channel, space } = await opened(requiredBytes - 1)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  space.freeBytes = requiredBytes
  // A refused put starts a new check of the free space, but is refused before its result.
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  await put(channel, 'y')
  space.freeBytes = 0
  await put(channel, 'z')
  expect(await takeAll(channel)).toEqual(['y', 'z'])
  await channel.stop()
})

describe('a log that cannot be written', () => {
  const source = 'r1'
  const file = { device: 1, inode: 2 }

  /** A channel whose disk refuses writes while `isFull` is set. */
  async function onFullDisk() {
    const state = { isFull: false, code: 'ENOSPC' }
    const disk = new MemoryDisk({
      beforeChange: (operation, path) => {
        if (!state.isFull || !['write', 'open'].includes(operation)) return
        const { code } = state
        throw Object.assign(new Error(`${code}: simulated, ${operation} '${path}'`), { code })
      },
    })
    const configuration = component('channels', 'c1', {
      type: 'file',
      checkpointDir: '/checkpoint',
      dataDirs: '/data',
      minimumRequiredSpace: 0,
    })
    const logger = new MemoryLogger()
    const make = () =>
      fileChannel(configuration, {
        clock: new ManualClock(),
        disk,
        scheduler: systemScheduler,
        logger,
        resolvePath: (path) => path,
      })
    const channel = make()
    await channel.start()
    return { channel, state, logger, make }
  }

  function positioned(start: number, end: number): SourcePosition {
    const fingerprint = { lengthBytes: 0, crc: 0 }
    return { source, ...file, generation: 0, path: '/log', start, end, fingerprint }
  }

  function putAt(channel: Channel, body: string, start: number): Promise<void> {
    return putBodies(channel, [body], positioned(start, start + body.length + 1))
  }

  test('changes no position, stores no event, is counted, and recovers once it is writable', async () => {
    const { channel, state, logger } = await onFullDisk()
    await putAt(channel, 'one', 0)
    state.isFull = true
    const lost = [putAt(channel, 'two', 4), putAt(channel, 'three', 8)]
    for (const result of await Promise.allSettled(lost)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CHANNEL_SPACE' } })
    }
    await expect(putAt(channel, 'two', 4)).rejects.toMatchObject({ code: 'CHANNEL_SPACE' })
    expect(channel.lastPosition(source, file)).toMatchObject({ end: 4 })
    expect(channel.size).toBe(1)
    expect(channel.counter).toMatchObject({ Unhealthy: 1, EventPutErrorCount: 3, ChannelSize: 1 })
    expect(logger.messages('error')).toEqual(['failed to write the channel log'])
    state.isFull = false
    await until(async () => {
      await putAt(channel, 'two', 4)
    })
    expect(channel.counter).toMatchObject({ Unhealthy: 0 })
    await putAt(channel, 'three', 8)
    expect(await takeAll(channel)).toEqual(['one', 'two', 'three'])
    await channel.stop()
  })

  test.each([
    ['ENOSPC', 'CHANNEL_SPACE'],
    ['EIO', 'CHANNEL_WRITE'],
  ])('records the takes of that time once it is writable: %s', async (code, channelCode) => {
    const { channel, state, make } = await onFullDisk()
    state.code = code
    await putAt(channel, 'one', 0)
    await putAt(channel, 'two', 4)
    state.isFull = true
    await expect(putAt(channel, 'three', 8)).rejects.toMatchObject({ code: channelCode })
    expect(await takeAll(channel)).toEqual(['one', 'two'])
    state.isFull = false
    await channel.stop()
    const again = make()
    await again.start()
    expect(again.size).toBe(0)
    await again.stop()
  })

  test('fails a prepare, whose events can then be taken again', async () => {
    const { channel, state } = await onFullDisk()
    await putAt(channel, 'one', 0)
    state.isFull = true
    const transaction = channel.transaction()
    transaction.begin()
    await transaction.take(1)
    const stamp = Buffer.from('stamp')
    await expect(transaction.prepare('k1', stamp)).rejects.toMatchObject({ code: 'CHANNEL_SPACE' })
    await transaction.rollback()
    transaction.close()
    expect(channel.lastStamp('k1')).toBeUndefined()
    expect(await channel.resumePrepared('k1')).toEqual([])
    state.isFull = false
    expect(await takeAll(channel)).toEqual(['one'])
    await channel.stop()
  })

  /** Retries until the attempt succeeds, as a source does. */
  async function until(attempt: () => Promise<void>): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        if (tries === 10) throw error
        await settle()
      }
    }
  }
})
