// Staged bytes against a plain buffer, and when stagers are asked to write.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StagedBytes } from '../../../../broker/log/segment/stagedBytes.ts'
import { type Stager, WriteBehind } from '../../../../broker/log/segment/writeBehind.ts'
import { ManualClock } from '../../../../protocol/runtime/time/manualClock.ts'

const blockBytes = 10
const idle: Stager = { writeOut: () => Promise.resolve() }

const step = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    sizes: fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('write' as const), addedMeanwhile: fc.nat({ max: 25 }) }),
)

/** Content of a segment: `file` has the bytes that were written so far, `whole` has all bytes. */
class ModelSegment {
  file = Buffer.alloc(0)
  whole = Buffer.alloc(0)
  readonly staged: StagedBytes
  readonly #fill: () => number

  constructor(writeBehind: WriteBehind, fill: () => number) {
    this.staged = new StagedBytes(writeBehind, idle)
    this.#fill = fill
  }

  /** Stages chunks of these sizes. Returns false if there is no memory for them. */
  add(sizes: readonly number[]): boolean {
    const chunks = sizes.map((size) => Buffer.from(Array.from({ length: size }, this.#fill)))
    if (!this.staged.add(chunks, this.whole.length)) return false
    this.whole = Buffer.concat([this.whole, ...chunks])
    for (const chunk of chunks) chunk.fill(255)
    return true
  }

  /** Writes all staged bytes; more are staged before the write has ended. */
  write(addedMeanwhile: number): void {
    const { start, end } = this.staged
    const chunks = this.staged.toWrite(end)
    if (addedMeanwhile > 0) this.add([addedMeanwhile])
    expect(start).toBe(this.file.length)
    this.file = Buffer.concat([this.file, ...chunks])
    this.staged.written(end)
  }

  check(): void {
    expect(this.file.equals(this.whole.subarray(0, this.file.length))).toBe(true)
    const { start, end, isEmpty } = this.staged
    if (isEmpty) {
      expect(this.file).toHaveLength(this.whole.length)
      return
    }
    expect([start, end]).toEqual([this.file.length, this.whole.length])
    for (let position = start; position < end; position += 7) {
      const into = Buffer.alloc(13)
      const copied = this.staged.copy(into, position)
      expect(copied).toBe(Math.min(into.length, end - position))
      const expected = this.whole.subarray(position, position + copied)
      expect(into.subarray(0, copied).equals(expected)).toBe(true)
    }
  }
}

describe('staged bytes', () => {
  it('equal the added bytes, whatever the block boundaries, and never exceed the memory', () => {
    const steps = fc.array(fc.tuple(fc.nat({ max: 2 }), step), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (all) => {
        const maxBytes = 8 * blockBytes
        const writeBehind = new WriteBehind(new ManualClock(), { blockBytes, maxBytes })
        let next = 0
        const fill = () => next++ % 255
        const segments = [0, 1, 2].map(() => new ModelSegment(writeBehind, fill))
        for (const [at, { kind, ...of }] of all) {
          const segment = segments[at]!
          if ('sizes' in of) segment.add(of.sizes)
          else if (!segment.staged.isEmpty) segment.write(of.addedMeanwhile)
          expect(kind).toBeDefined()
          for (const each of segments) each.check()
          expect(writeBehind.usedBytes).toBeLessThanOrEqual(maxBytes)
        }
        for (const { staged } of segments) staged.forget()
        expect(writeBehind.usedBytes).toBe(0)
      }),
    )
  })

  it('are refused as a whole if there is no memory for all of them', () => {
    const writeBehind = new WriteBehind(new ManualClock(), { blockBytes, maxBytes: 30 })
    const staged = new StagedBytes(writeBehind, idle)
    expect(staged.add([Buffer.alloc(25)], 0)).toBe(true)
    expect(staged.add([Buffer.alloc(5), Buffer.alloc(1)], 25)).toBe(false)
    expect(staged.end).toBe(25)
    expect(staged.add([Buffer.alloc(5)], 25)).toBe(true)
  })
})

describe('a stager', () => {
  /** Counts its calls, and ends its write when the test resolves it. */
  class Writer implements Stager {
    readonly staged: StagedBytes
    written = 0
    #end: (() => void) | undefined

    constructor(writeBehind: WriteBehind) {
      this.staged = new StagedBytes(writeBehind, this)
    }

    add(length: number): boolean {
      return this.staged.add([Buffer.alloc(length)], this.staged.end)
    }

    writeOut(): Promise<void> {
      this.written++
      return new Promise((resolve) => {
        this.#end = resolve
      })
    }

    async end(): Promise<void> {
      this.staged.forget()
      this.#end?.()
      await undefined
      await undefined
    }
  }

  function writers(count: number, options: object): { clock: ManualClock; all: Writer[] } {
    const clock = new ManualClock()
    const writeBehind = new WriteBehind(clock, { blockBytes, ...options })
    return { clock, all: Array.from({ length: count }, () => new Writer(writeBehind)) }
  }

  it('writes when it has enough bytes', () => {
    const { all } = writers(1, { enoughBytes: 50 })
    all[0]!.add(49)
    expect(all[0]!.written).toBe(0)
    all[0]!.add(1)
    expect(all[0]!.written).toBe(1)
  })

  it('writes within a second', () => {
    const { clock, all } = writers(1, {})
    clock.advance(10_000)
    all[0]!.add(1)
    clock.advance(1000)
    expect(all[0]!.written).toBe(1)
  })

  it('writes first if it has waited longest and memory gets scarce', () => {
    const { all } = writers(3, { maxBytes: 60 })
    for (const writer of all) writer.add(10)
    expect(all.map(({ written }) => written)).toEqual([0, 0, 0])
    all[2]!.add(10)
    expect(all.map(({ written }) => written)).toEqual([1, 0, 0])
  })

  it('waits for its turn', async () => {
    const { all } = writers(2, { enoughBytes: 10 })
    for (const writer of all) writer.add(10)
    expect(all.map(({ written }) => written)).toEqual([1, 0])
    await all[0]!.end()
    expect(all.map(({ written }) => written)).toEqual([1, 1])
  })

  it('leaves no timer behind when all bytes are written', async () => {
    const { clock, all } = writers(1, {})
    all[0]!.add(10)
    expect(clock.pendingTimers).toBe(1)
    await all[0]!.end()
    expect(clock.pendingTimers).toBe(0)
  })
})
