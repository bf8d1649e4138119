// A file channel on a disk that stays full: its sinks can drain it although the records of their
// takes need more space than the reserve has, and what they drained is free space again.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Channel, ChannelTransaction } from '../../../agent/channels/channel.ts'
import { reserveBytesOf } from '../../../agent/channels/file/spaceReserve.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import type { EventBatch } from '../../../agent/event.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { type Random, seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { mortalDisk } from '../../broker/log/mortalDisk.ts'
import { component } from '../component.ts'
import { bodiesOf, putBodies } from './putBodies.ts'

const sink = 'k1'
const maxFileBytes = 512 * 1024
const diskBytes = 256 * 1024
const stampBytes = 150

async function opened(disk: Disk): Promise<Channel> {
  const lines = {
    ...{ type: 'file', checkpointDir: '/checkpoint', dataDirs: '/data' },
    ...{ maxFileSize: maxFileBytes, minimumRequiredSpace: 0, 'keep-alive': 0, capacity: 10_000 },
  }
  const channel = fileChannel(component('channels', 'c1', lines), {
    ...{ clock: new ManualClock(), disk, scheduler: systemScheduler, logger: silentLogger },
    resolvePath: (path) => path,
  })
  await channel.start()
  return channel
}

function numbersOf(batches: readonly EventBatch[]): number[] {
  return bodiesOf(batches).map((body) => Number.parseInt(body, 10))
}

function put(channel: Channel, first: number, count: number, bodyBytes: number): Promise<void> {
  const bodies = Array.from({ length: count }, (_, n) => `${first + n}`.padEnd(bodyBytes))
  return putBodies(channel, bodies)
}

/** Puts until the disk is full; returns how many events were put. */
async function fill(channel: Channel, first: number, count: number, bodyBytes: number) {
  for (let events = 0; ; events += count) {
    try {
      await put(channel, first + events, count, bodyBytes)
    } catch (error) {
      expect(error).toMatchObject({ code: 'CHANNEL_SPACE' })
      return events
    }
  }
}

/** Retries until the attempt succeeds, as a source or a sink does. */
async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (tries === 10) throw error
      await settle()
    }
  }
}

/** Takes events, and prepares the take as the Kafka sink does. */
async function take(channel: Channel, max: number) {
  const transaction: ChannelTransaction = channel.transaction()
  transaction.begin()
  try {
    const events = numbersOf(await transaction.take(max))
    if (events.length > 0) await transaction.prepare(sink, Buffer.alloc(stampBytes, 's'))
    return { transaction, events }
  } catch (error) {
    await transaction.rollback()
    transaction.close()
    throw error
  }
}

async function end(
  { transaction }: { transaction: ChannelTransaction },
  how: 'commit' | 'rollback',
) {
  await transaction[how]()
  transaction.close()
}

/** Fails every fifth call of an operation while `operation` is set. */
class FailingCalls {
  operation: string | undefined
  #calls = 0

  readonly check = (operation: string, path: string): void => {
    if (operation !== this.operation || ++this.#calls % 5 !== 0) return
    throw Object.assign(new Error(`EIO: simulated, ${operation} '${path}'`), { code: 'EIO' })
  }
}

/** How takes end, one after another; most are committed. */
type Ending = 'commit' | 'rollback' | 'restart' | 'lose power'

const endings = fc
  .array(fc.constantFrom<Ending>('rollback', 'restart', 'lose power'), { maxLength: 3 })
  .map((others) => others.flatMap((other): Ending[] => [other, ...Array(12).fill('commit')]))
  .map((list): Ending[] => ['commit', ...list])

/** An agent with a channel on a full disk, whose process may end in the middle of a take. */
class Drained {
  readonly calls = new FailingCalls()
  readonly #disk = new MemoryDisk({ sizeBytes: diskBytes, beforeChange: this.calls.check })
  readonly #keepUnsynced: Random
  #process = mortalDisk(this.#disk)
  channel!: Channel

  constructor(seed: number) {
    this.#keepUnsynced = seededRandom(seed)
  }

  async start(): Promise<void> {
    this.#process = mortalDisk(this.#disk)
    this.channel = await eventually(() => opened(this.#process))
  }

  /** Takes until `count` different events are delivered; returns the number of takes. */
  async drain(count: number, max: number, howTakesEnd: readonly Ending[]): Promise<number> {
    const delivered = new Set<number>()
    for (let takes = 0; ; takes++) {
      if (delivered.size >= count) return takes
      // A sink that resumes: a take whose commit the crash lost is delivered again.
      for (const resumed of await this.channel.resumePrepared(sink)) {
        for (const event of numbersOf(resumed.batches)) delivered.add(event)
        await end(resumed, 'commit')
      }
      const taken = await eventually(() => take(this.channel, max))
      const how = howTakesEnd[takes % howTakesEnd.length]!
      await this.#end(taken, how)
      if (how === 'commit') for (const event of taken.events) delivered.add(event)
    }
  }

  async #end(taken: { transaction: ChannelTransaction }, how: Ending): Promise<void> {
    if (how === 'commit' || how === 'rollback') return end(taken, how)
    taken.transaction.detach()
    if (how === 'lose power') {
      this.#process.kill()
      this.#disk.crash({ keepUnsynced: this.#keepUnsynced })
    }
    await this.channel.stop().catch(() => {})
    await this.start()
  }
}

test('a channel is drained on a full disk, again and again', async () => {
  let maxRecordBytes = 0
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 100, max: 400 }),
      fc.integer({ min: 1, max: 4 }),
      endings,
      fc.option(fc.constantFrom('rename', 'syncDirectory', 'sync', 'truncate', 'remove')),
      fc.nat(),
      async (eventsOfPut, bodyBytes, eventsOfTake, howTakesEnd, failing, seed) => {
        const drained = new Drained(seed)
        await drained.start()
        let next = 0
        // What is free after a drained round is enough for another one.
        for (let round = 0; round < 3; round++) {
          const first = next
          await eventually(() => put(drained.channel, first, 1, bodyBytes))
          next += 1 + (await fill(drained.channel, first + 1, eventsOfPut, bodyBytes))
          drained.calls.operation = failing ?? undefined
          const takes = await drained.drain(next - first, eventsOfTake, howTakesEnd)
          maxRecordBytes = Math.max(maxRecordBytes, takes * stampBytes)
          drained.calls.operation = undefined
          // What the last rollback has given back.
          while (drained.channel.size > 0) {
            await end(await eventually(() => take(drained.channel, 100)), 'commit')
          }
        }
        await drained.channel.stop()
      },
    ),
    { numRuns: 12 },
  )
  expect(maxRecordBytes).toBeGreaterThan(reserveBytesOf(maxFileBytes))
})
