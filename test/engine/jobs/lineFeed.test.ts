import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileLines } from '../../../engine/jobs/fileLines.ts'
import { LineFeed, type LineSource } from '../../../engine/jobs/lineFeed.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-feed-'))
})
afterEach(() => rm(directory, { recursive: true }))

const inputs = {
  'a last line with its newline': ['a\nbb\nccc\n', 'a\nbb\nccc\n', 3],
  'a last line without': ['a\nbb\nccc', 'a\nbb\nccc\n', 3],
  'empty lines': ['\n\nx\n', '\n\nx\n', 3],
  nothing: ['', '', 0],
  'a line longer than a chunk': [`${'x'.repeat(3_000_000)}\ny`, `${'x'.repeat(3_000_000)}\ny\n`, 2],
} as const

describe('a file is fed as fast as possible', () => {
  for (const [name, [input, output, lines]] of Object.entries(inputs)) {
    test(name, async () => {
      const [from, path] = [join(directory, 'in'), join(directory, 'out')]
      await writeFile(from, input)
      const source = await FileLines.open(nodeDisk, from)
      const clock = new ManualClock()
      const feed = new LineFeed({
        disk: nodeDisk,
        clock,
        source,
        path,
        ratePerSecond: Number.POSITIVE_INFINITY,
      })
      expect(await feed.run()).toBe(lines)
      await source.close()
      expect(await readFile(path, 'utf8')).toBe(output)
    })
  }
})

test('next returns at most the requested number of lines', async () => {
  const path = join(directory, 'in')
  await writeFile(path, 'a\nb\nc\nd\n')
  const source = await FileLines.open(nodeDisk, path)
  expect(await source.next(3)).toMatchObject({ count: 3, bytes: Buffer.from('a\nb\nc\n') })
  expect(await source.next(3)).toMatchObject({ count: 1, bytes: Buffer.from('d\n') })
  expect(await source.next(3)).toBeUndefined()
  await source.close()
})

test('the average rate is kept, and stop takes effect between two writes', async () => {
  const endless: LineSource = {
    next: async (most) => ({ bytes: Buffer.alloc(2 * most, 'x\n'), count: most }),
  }
  const clock = new ManualClock()
  const path = join(directory, 'out')
  const feed = new LineFeed({ disk: nodeDisk, clock, source: endless, path, ratePerSecond: 1000 })
  const running = feed.run()
  let elapsedMs = 0
  // The disk is a real one: a write that takes longer than a tick is counted in a later tick.
  while (feed.lines <= 900) {
    await clock.advanceAndSettle(20)
    elapsedMs += 20
    expect(feed.lines).toBeLessThanOrEqual(elapsedMs)
  }
  feed.stop()
  const written = await running
  expect(await readFile(path)).toHaveLength(2 * written)
})

test('lines returned by beginning are returned again by next', async () => {
  const path = join(directory, 'in')
  await writeFile(path, 'a\nb\nhalf')
  const source = await FileLines.open(nodeDisk, path)
  expect(await source.beginning()).toBe('a\nb\nhalf\n')
  expect(await source.next(10)).toMatchObject({ count: 3, bytes: Buffer.from('a\nb\nhalf\n') })
  await source.close()
})
