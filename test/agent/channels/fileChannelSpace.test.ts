// minimumRequiredSpace: what a file channel does while its file system is nearly full.

import { expect, test } from 'vitest'
import type { Channel } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import { batchOf } from '../../../agent/event.ts'
import { silentLogger } from '../../../protocol/telemetry/logger.ts'
import { ManualClock } from '../../manualClock.ts'
import { MemoryDisk } from '../../memoryDisk.ts'
import { component } from '../component.ts'

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
    logger: silentLogger,
    resolvePath: (path) => path,
  })
  await channel.start()
  return { channel, space }
}

async function put(channel: Channel, body: string): Promise<void> {
  const transaction = channel.transaction()
  transaction.begin()
  transaction.put(batchOf([Buffer.from(body)]))
  try {
    await transaction.commit()
  } catch (error) {
    await transaction.rollback()
    throw error
  } finally {
    transaction.close()
  }
}

async function takeAll(channel: Channel): Promise<string[]> {
  const transaction = channel.transaction()
  transaction.begin()
  const batches = await transaction.take(100)
  await transaction.commit()
  transaction.close()
  return batches.flatMap((b) => Array.from({ length: b.count }, (_, n) => `${b.body(n)}`))
}

const noSpace = {
  code: 'CHANNEL_SPACE',
  message:
    'channel c1: fewer than minimumRequiredSpace (1000) bytes are free for /data: free some, or lower minimumRequiredSpace',
}

test('without enough space a put is refused, with what to do; nothing of it is kept', async () => {
  const { channel } = await opened(requiredBytes - 1)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  expect(channel.size).toBe(0)
  await channel.stop()
})

test('exactly as much space as required is enough', async () => {
  const { channel } = await opened(requiredBytes)
  await put(channel, 'x')
  expect(await takeAll(channel)).toEqual(['x'])
  await channel.stop()
})

test('without enough space what is there can be taken', async () => {
  const { channel, space } = await opened(requiredBytes)
  const body = 'x'.repeat(17 * 1024 * 1024)
  await put(channel, body)
  space.freeBytes = 0
  // Written bytes are what makes it look again.
  await put(channel, body)
  await expect(put(channel, 'z')).rejects.toMatchObject(noSpace)
  expect((await takeAll(channel)).map(({ length }) => length)).toEqual([body.length, body.length])
  await channel.stop()
})

test('when there is space again, puts go on by themselves', async () => {
  const { channel, space } = await opened(requiredBytes - 1)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  space.freeBytes = requiredBytes
  // The first one to be refused makes it look; it is answered before.
  await expect(put(channel, 'x')).rejects.toMatchObject(noSpace)
  await put(channel, 'y')
  space.freeBytes = 0
  await put(channel, 'z')
  expect(await takeAll(channel)).toEqual(['y', 'z'])
  await channel.stop()
})
