import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FeedBacklog, recordOverheadBytes } from '../../../engine/jobs/feedBacklog.ts'
import { LineFeed, type LineSource } from '../../../engine/jobs/lineFeed.ts'
import { type ReadPosition, RotatedLog } from '../../../engine/jobs/rotatedLog.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { ManualClock } from '../../../protocol/runtime/time/manualClock.ts'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-rotated-'))
  path = join(directory, 'orders.log')
})
afterEach(() => rm(directory, { recursive: true }))

const names = async () => (await readdir(directory)).sort()

/** Returns the position of a reader at the end of a file with its current name. */
async function readToEnd(file: string): Promise<ReadPosition> {
  const { inode, sizeBytes } = (await nodeDisk.stat(file))!
  return { inode, file, pos: sizeBytes }
}

async function rotatedLog(positions: readonly ReadPosition[]): Promise<RotatedLog> {
  const log = new RotatedLog(nodeDisk, path, { fileBytes: 4, positions: async () => positions })
  await log.open()
  return log
}

test('a large enough file is renamed, and kept until it is read', async () => {
  const log = await rotatedLog([])
  for (const text of ['one\n', 'two\n', 'three\n', 'x\n']) await log.append(Buffer.from(text))
  await log.close()
  expect(await names()).toEqual(['orders.log', 'orders.log.1', 'orders.log.2', 'orders.log.3'])
  expect(await readFile(`${path}.3`, 'utf8')).toBe('three\n')
  expect(await readFile(path, 'utf8')).toBe('x\n')
})

test('a renamed file is removed once it is read to its end', async () => {
  const positions: ReadPosition[] = []
  const log = await rotatedLog(positions)
  await log.append(Buffer.from('one\n'))
  await log.append(Buffer.from('two\n'))
  const first = await readToEnd(`${path}.1`)
  positions.push({ ...first, pos: first.pos - 1 })
  await log.append(Buffer.from('three\n'))
  expect(await names()).toContain('orders.log.1')
  positions.splice(0, 1, first)
  await log.append(Buffer.from('four\n'))
  await log.close()
  expect(await names()).toEqual(['orders.log', 'orders.log.2', 'orders.log.3'])
})

test('the position of a removed file does not apply to a new one with its inode', async () => {
  const positions: ReadPosition[] = []
  const log = await rotatedLog(positions)
  await log.append(Buffer.from('one\n'))
  await log.append(Buffer.from('two\n'))
  const { inode } = await readToEnd(`${path}.1`)
  positions.push({ inode, file: `${path}.7`, pos: 1000 })
  await log.append(Buffer.from('three\n'))
  await log.close()
  expect(await names()).toContain('orders.log.1')
})

test('a second run continues the numbering, and removes files of the first', async () => {
  const first = await rotatedLog([])
  for (const text of ['one\n', 'two\n', 'three\n']) await first.append(Buffer.from(text))
  await first.close()
  const second = await rotatedLog([await readToEnd(`${path}.1`)])
  await second.append(Buffer.from('four\n'))
  await second.close()
  expect(await names()).toEqual(['orders.log', 'orders.log.2', 'orders.log.3'])
})

function newBacklog(mostBytes: number, countedLines: () => number): FeedBacklog {
  return new FeedBacklog({ mostBytes, recordOverheadBytes: 100, partitions: 0, countedLines })
}

test('each line of a write is assumed to become a batch, up to the number of partitions', () => {
  const options = { mostBytes: 1000, recordOverheadBytes: 10, countedLines: () => 0 }
  const backlog = new FeedBacklog({ ...options, partitions: 2 })
  const batch = new RecordBatchBuilder()
  const emptyBytes = batch.sizeInBytes
  backlog.wrote(1, 5)
  expect(backlog.uncountedBytes).toBe(5 + 10 + emptyBytes)
  backlog.wrote(3, 15)
  expect(backlog.uncountedBytes).toBe(20 + 40 + 3 * emptyBytes)
})

test.each(['h', 'host-12.example.org', `${'long.'.repeat(40)}example.org`])(
  'a record of host %s takes at most the assumed overhead, and not much less',
  (host) => {
    const lines = ['', '1,2,3', 'x'.repeat(70), 'x'.repeat(9000)].flatMap((line) =>
      Array.from({ length: 2500 }, () => Buffer.from(line)),
    )
    const builder = new RecordBatchBuilder()
    const headers = [
      { key: 'timestamp', value: Buffer.from('1790000000000') },
      { key: 'host', value: Buffer.from(host) },
    ]
    for (const [at, line] of lines.entries()) builder.append(1000 + at, null, line, headers)
    const overhead = builder.build().length - lines.reduce((sum, { length }) => sum + length, 0)
    const reckoned = lines.length * recordOverheadBytes(host)
    expect(overhead).toBeLessThanOrEqual(reckoned)
    expect(overhead).toBeGreaterThan(0.75 * reckoned)
  },
)

test('a backlog has space again once its lines are counted', () => {
  let counted = 0
  const backlog = newBacklog(1000, () => counted)
  backlog.wrote(5, 100)
  expect(backlog).toMatchObject({ uncountedBytes: 600, hasRoom: true })
  backlog.wrote(5, 100)
  expect(backlog.hasRoom).toBe(false)
  counted = 4
  expect(backlog.hasRoom).toBe(false)
  counted = 5
  expect(backlog).toMatchObject({ uncountedBytes: 600, hasRoom: true })
  counted = 10
  expect(backlog.uncountedBytes).toBe(0)
})

test('a feed waits while its backlog is full', async () => {
  const endless: LineSource = {
    next: async (most) => ({ bytes: Buffer.alloc(2 * most, 'x\n'), count: most }),
  }
  let counted = 0
  const backlog = newBacklog(10_000_000, () => counted)
  const clock = new ManualClock()
  const ratePerSecond = Number.POSITIVE_INFINITY
  const feed = new LineFeed({
    disk: nodeDisk,
    clock,
    source: endless,
    path,
    ratePerSecond,
    backlog,
  })
  const running = feed.run()
  // The disk is a real one, and a write may take longer than a tick.
  const reaches = async (lines: number) => {
    while (feed.lines < lines) await clock.advanceAndSettle(20)
    for (let tick = 0; tick < 20; tick++) await clock.advanceAndSettle(20)
    expect(feed.lines).toBe(lines)
  }
  await reaches(100_000)
  counted = 100_000
  await reaches(200_000)
  feed.stop()
  await running
})
