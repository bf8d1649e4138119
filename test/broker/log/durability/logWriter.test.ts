// Writes of one log: groups keep the order, lose nothing and stay within their bounds, and nothing
// is written after a failure.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  LogWriter,
  nothingToWrite,
  type PendingAppend,
  type WriterTarget,
} from '../../../../broker/log/durability/logWriter.ts'
import type { Roll } from '../../../../broker/log/segment/rollPolicy.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'

const mebibyte = 1024 * 1024

interface Numbered {
  readonly sizeBytes: number
  readonly startsSegment: boolean
}

/** Records the numbers of the appends in each group, and where segments start. */
class RecordingTarget implements WriterTarget {
  readonly groups: number[][] = []
  readonly events: string[] = []
  /** The number of the group whose write fails. */
  failsAt = -1
  onDrained: () => void = () => {}

  async startSegment(): Promise<void> {
    this.events.push('segment')
  }
  async saveLeaderEpochs(): Promise<void> {}
  async write(chunks: readonly Buffer[]): Promise<void> {
    if (this.groups.length === this.failsAt) throw new Error('disk')
    this.groups.push(chunks.map((bytes) => bytes.readUInt16BE(0)))
    this.events.push(`write ${chunks.length}`)
  }
  failed(cause: unknown): void {
    this.events.push(`failed: ${(cause as Error).message}`)
  }
  drained(): void {
    this.onDrained()
  }
}

function numbered(number: number, { sizeBytes, startsSegment }: Numbered): PendingAppend {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(number)
  const roll = startsSegment ? ({} as Roll) : undefined
  return { ...nothingToWrite, bytes, roll, sizeBytes, done: () => {} }
}

const item: fc.Arbitrary<Numbered> = fc.record({
  sizeBytes: fc.integer({ min: 0, max: 3_000_000 }),
  startsSegment: fc.boolean(),
})

test('groups are consecutive, bounded, and begin where a segment begins', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 40 }), async (items) => {
      const target = new RecordingTarget()
      const writer = new LogWriter(target, 5_000_000, systemScheduler)
      for (const [number, each] of items.entries()) writer.submit(numbered(number, each))
      const total = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      expect([writer.pendingBytes, writer.isFull]).toEqual([total, total >= 5_000_000])
      await writer.stop()
      for (const group of target.groups) {
        const inGroup = group.map((number) => items[number]!)
        expect(inGroup.slice(1).some(({ startsSegment }) => startsSegment)).toBe(false)
        const bytes = inGroup.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
        if (group.length > 1) expect(bytes).toBeLessThanOrEqual(4 * mebibyte)
      }
      expect(target.groups.flat()).toEqual([...items.keys()])
      expect(writer.pendingBytes).toBe(0)
    }),
  )
})

test('a group holds no more than one writev takes', async () => {
  const target = new RecordingTarget()
  const writer = new LogWriter(target, 1, systemScheduler)
  for (let number = 0; number < 2000; number++) {
    writer.submit(numbered(number, { sizeBytes: 1, startsSegment: false }))
  }
  await writer.stop()
  expect(target.groups.map(({ length }) => length)).toEqual([1024, 976])
})

test('after a failure every append is answered with false, and nothing is written', async () => {
  const target = new RecordingTarget()
  target.failsAt = 1
  const writer = new LogWriter(target, 100, systemScheduler)
  const answers: boolean[] = []
  const submit = (number: number) => {
    const append = numbered(number, { sizeBytes: 60, startsSegment: true })
    writer.submit({ ...append, done: (stable) => answers.push(stable) })
  }
  for (const number of [0, 1, 2]) submit(number)
  let drained = 0
  target.onDrained = () => {
    drained++
    if (drained === 2) submit(3)
  }
  expect(writer.isFull).toBe(true)
  await writer.stop()
  expect(answers).toEqual([true, false, false, false])
  expect(target.events).toEqual(['segment', 'write 1', 'segment', 'failed: disk'])
  expect([writer.pendingBytes, drained]).toEqual([0, 2])
})
