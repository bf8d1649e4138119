// The file channel against a model with power failures at random times: committed events are
// recovered once and in order; a prepared take is handed out again with the same events and stamp.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ChannelTransaction } from '../../../agent/channels/channel.ts'
import { fileChannel } from '../../../agent/channels/fileChannel.ts'
import type { SourcePosition } from '../../../agent/channels/sourcePosition.ts'
import { batchOf, type EventBatch } from '../../../agent/event.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../protocol/telemetry/logging/logger.ts'
import { mortalDisk } from '../../broker/log/mortalDisk.ts'
import { component } from '../component.ts'

const sink = 'k1'

function open(disk: Disk, maxFileSize: number, cacheBytes: number) {
  return fileChannel(
    component('channels', 'c1', {
      type: 'file',
      checkpointDir: '/channel/checkpoint',
      dataDirs: '/channel/data1,/channel/data2',
      minimumRequiredSpace: 0,
      maxFileSize,
      cacheBytes,
      'keep-alive': 0,
    }),
    {
      ...{ clock: new ManualClock(), disk, scheduler: systemScheduler, logger: silentLogger },
      resolvePath: (path) => path,
    },
  )
}

function position(start: number, end: number): SourcePosition {
  return {
    source: 'r1',
    device: 1,
    inode: 2,
    generation: 0,
    path: '/log',
    start,
    end,
    fingerprint: { lengthBytes: 0, crc: 0 },
  }
}

/** Event n is the number n, so that order and number can be read off it. */
function numbered(from: number, until: number): EventBatch {
  const bodies = Array.from({ length: until - from }, (_, n) => Buffer.from(`event ${from + n}`))
  return batchOf(bodies, { shared: String(from) })
}

function numbersOf(batches: readonly EventBatch[]): number[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, n) => Number(batch.body(n).toString().slice(6))),
  )
}

type Step =
  | { kind: 'put'; count: number }
  | { kind: 'take'; count: number; end: 'commit' | 'rollback' | 'prepare' }
  | { kind: 'settle'; how: 'commit' | 'rollback' }
  | { kind: 'crash'; during: boolean; seed: number }
  | { kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      count: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      count: fc.integer({ min: 1, max: 12 }),
      end: fc.constantFrom('commit' as const, 'rollback' as const, 'prepare' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      how: fc.constantFrom('commit' as const, 'commit' as const, 'rollback' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      during: fc.boolean(),
      seed: fc.nat(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
)

describe('a file channel that loses power', () => {
  test('keeps committed events, once and in order, and prepared takes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 60 }),
        fc.constantFrom(1024, 4096, 1024 * 1024),
        fc.constantFrom(0, 200, 1024 * 1024),
        async (steps, maxFileSize, cacheBytes) => {
          const disk = new MemoryDisk()
          let process = mortalDisk(disk)
          let channel = open(process, maxFileSize, cacheBytes)
          await channel.start()
          /** The next event to put: what the source would read again from its position. */
          let next = 0
          /** Events that were taken and committed, or prepared and settled. */
          const gone = new Set<number>()
          let prepared: { transaction: ChannelTransaction; stamp: string; events: number[] }[] = []
          let stamps = 0

          const reopen = async () => {
            process = mortalDisk(disk)
            channel = open(process, maxFileSize, cacheBytes)
            await channel.start()
            // The position is exactly where the events end: a source that continues from it neither
            // loses nor repeats a line.
            const end = channel.lastPosition('r1', { device: 1, inode: 2 })?.end ?? 0
            expect(end).toBeGreaterThanOrEqual(next)
            next = end
            const resumed = await channel.resumePrepared(sink)
            const known = new Map(prepared.map((take) => [take.stamp, take]))
            prepared = resumed.map(({ transaction, batches, stamp }) => {
              const events = numbersOf(batches)
              const before = known.get(stamp.toString())
              if (before) expect(events).toEqual(before.events)
              known.delete(stamp.toString())
              return { transaction, stamp: stamp.toString(), events }
            })
            // A prepared take is never lost once its prepare has resolved.
            expect([...known.keys()]).toEqual([])
          }

          for (const action of steps) {
            if (action.kind === 'put') {
              const transaction = channel.transaction()
              transaction.begin()
              const end = next + action.count
              transaction.put(numbered(next, end), position(next, end))
              await transaction.commit()
              transaction.close()
              next = end
            } else if (action.kind === 'take') {
              const transaction = channel.transaction()
              transaction.begin()
              const events = numbersOf(await transaction.take(action.count))
              expect(events).toEqual([...events].sort((a, b) => a - b))
              for (const event of events) expect(gone.has(event)).toBe(false)
              if (events.length === 0 || action.end === 'rollback') {
                await transaction.rollback()
              } else if (action.end === 'commit') {
                await transaction.commit()
                for (const event of events) gone.add(event)
              } else {
                const stamp = `stamp ${stamps++}`
                await transaction.prepare(sink, Buffer.from(stamp))
                prepared.push({ transaction, stamp, events })
              }
            } else if (action.kind === 'settle') {
              const take = prepared.shift()
              if (!take) continue
              await take.transaction[action.how]()
              if (action.how === 'commit') for (const event of take.events) gone.add(event)
            } else if (action.kind === 'crash') {
              const pending = action.during ? commitOne(channel, next) : undefined
              const keepUnsynced = seededRandom(action.seed)
              // Later operations of the old channel do not reach the disk.
              process.kill()
              disk.crash({ keepUnsynced, reorder: action.seed % 2 === 0 })
              await pending?.catch(() => {})
              await channel.stop().catch(() => {})
              // A take whose commit was lost in the crash may be delivered again: its events are no
              // longer gone.
              const committedBefore = new Set(gone)
              await reopen()
              const left = await everything(channel)
              for (const event of committedBefore) if (left.has(event)) gone.delete(event)
              for (const take of prepared) for (const event of take.events) gone.delete(event)
            } else {
              for (const take of prepared) take.transaction.detach()
              await channel.stop()
              await reopen()
              expect([...(await everything(channel))].filter((event) => gone.has(event))).toEqual(
                [],
              )
            }
            const expected = new Set<number>()
            for (let event = 0; event < next; event++) if (!gone.has(event)) expected.add(event)
            for (const take of prepared) for (const event of take.events) expected.delete(event)
            expect(await everything(channel)).toEqual(expected)
          }
          for (const take of prepared) take.transaction.detach()
          await channel.stop()
        },
      ),
      { numRuns: 400 },
    )
  })

  async function commitOne(channel: ReturnType<typeof open>, next: number): Promise<void> {
    const transaction = channel.transaction()
    transaction.begin()
    transaction.put(numbered(next, next + 3), position(next, next + 3))
    await transaction.commit()
  }

  /** All events that wait in the channel, in order; they stay in it. */
  async function everything(channel: ReturnType<typeof open>): Promise<Set<number>> {
    const transaction = channel.transaction()
    transaction.begin()
    const events = numbersOf(await transaction.take(10_000))
    await transaction.rollback()
    transaction.close()
    expect(events).toEqual([...events].sort((a, b) => a - b))
    return new Set(events)
  }
})
