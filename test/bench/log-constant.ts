// The cost of an append, and of a read at a random offset, in logs of very different length. It
// must not depend on the length: the baseline of each figure is the shortest log, in the same run.
//
// The effect of the machine's caches on two gigabytes must not be mistaken for that of the log. So
// reads are measured twice: in a stretch of as many records as the shortest log has, at a position
// that changes with every round, so that all lengths use the same amount of memory; and anywhere,
// with bare reads at random positions of the same files beside them, which show the machine's
// share. The number of file reads per read of the log is counted as well: that figure has no noise.

import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartitionLog } from '../../broker/log/partitionLog.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { type CountingDisk, countingDisk } from './harness/countingDisk.ts'
import { append, fillLog, openLog } from './harness/logs.ts'
import { durationMs, lowerQuartile, mean } from './harness/measure.ts'
import { orderBatchesOf } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'append and random read at 1 thousand, 1 million and 50 million records'

const lengths = [
  { records: 1_000, name: '1 thousand' },
  { records: 1_000_000, name: '1 million' },
  { records: 50_000_000, name: '50 million' },
]
const recordsPerBatch = 100
/** A fetch of a small consumer around one offset. */
const readBytes = 4096
/** Few appends, so that the shortest log stays short: it ends at some ten thousand records. */
const appendsPerRound = 20
const readsPerRound = 200
/** Rounds before the figures count, to compile code and load files into memory. */
const warmUpRounds = 10
const leastRounds = 60
/** Length of the stretch: that of the shortest log. */
const stretchRecords = lengths[0]!.records

interface Subject {
  readonly name: string
  readonly disk: CountingDisk
  readonly log: PartitionLog
  /** The files of its segments. */
  readonly files: readonly { readonly handle: FileHandle; readonly bytes: number }[]
  readonly records: number
  readonly appendUs: number[]
  readonly stretchUs: number[]
  readonly readUs: number[]
  readonly bareUs: number[]
  readonly fileReads: number[]
}

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const subjects: Subject[] = []
  try {
    for (const { name, records } of lengths) {
      subjects.push(await prepare(join(directory, String(records)), name, records))
    }
    await measure(subjects, seconds)
    return rows(subjects)
  } finally {
    for (const { log, files } of subjects) {
      for (const { handle } of files) await handle.close()
      await log.close()
    }
  }
}

async function prepare(directory: string, name: string, records: number): Promise<Subject> {
  const disk = countingDisk(nodeDisk)
  const log = await openLog(directory, 'os', disk)
  await fillLog(log, orderBatchesOf(10, recordsPerBatch), records)
  // Data that was filled quickly is written back for a long time, which would disturb the figures.
  await log.flush()
  const segments = (await readdir(directory)).filter((file) => file.endsWith('.log'))
  const files = await Promise.all(
    segments.map(async (segment) => {
      const handle = await open(join(directory, segment), 'r')
      return { handle, bytes: (await handle.stat()).size }
    }),
  )
  const figures = { appendUs: [], stretchUs: [], readUs: [], bareUs: [], fileReads: [] }
  return { name, disk, log, files, records, ...figures }
}

/** Measures all logs in turn, round after round, in an order that changes. */
async function measure(subjects: readonly Subject[], seconds: number): Promise<void> {
  const random = seededRandom(7)
  const [batch] = orderBatchesOf(1, 1).batches
  const endMs = performance.now() + seconds * 1000
  for (let round = 0; round < leastRounds || performance.now() < endMs; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(round + turn) % subjects.length]!
      await measureRound(subject, batch!, random, round >= warmUpRounds)
    }
  }
}

async function measureRound(
  subject: Subject,
  batch: Buffer,
  random: Random,
  counts: boolean,
): Promise<void> {
  const { disk, log, records } = subject
  const from = random.below(records - stretchRecords + 1)
  const appendMs = await repeat(appendsPerRound, () => append(log, batch))
  // Reads the stretch once without measuring, so that it is in memory for all lengths alike.
  await readStretch(log, from)
  const inStretch = () => read(log, from + random.below(stretchRecords))
  const stretchMs = await repeat(readsPerRound, inStretch)
  disk.reads = 0
  const readMs = await repeat(readsPerRound, () => read(log, random.below(records)))
  const fileReads = disk.reads
  const bareMs = await repeat(readsPerRound, () => bareRead(subject, random))
  if (!counts) return
  subject.appendUs.push((appendMs * 1000) / appendsPerRound)
  subject.stretchUs.push((stretchMs * 1000) / readsPerRound)
  subject.readUs.push((readMs * 1000) / readsPerRound)
  subject.bareUs.push((bareMs * 1000) / readsPerRound)
  subject.fileReads.push(fileReads / readsPerRound)
}

/** Duration of this many runs in ms, one after another. */
function repeat(times: number, task: () => Promise<void>): Promise<number> {
  return durationMs(async () => {
    for (let count = 0; count < times; count++) await task()
  })
}

async function read(log: PartitionLog, offset: number): Promise<void> {
  const { bytes } = await log.read(offset, readBytes)
  if (bytes.length === 0) throw new Error('a read that found nothing')
}

async function readStretch(log: PartitionLog, from: number): Promise<void> {
  for (let offset = from; offset < from + stretchRecords; offset += recordsPerBatch) {
    await read(log, offset)
  }
}

async function bareRead({ files }: Subject, random: Random): Promise<void> {
  const { handle, bytes } = files[random.below(files.length)]!
  const position = random.below(bytes - readBytes)
  await handle.read(Buffer.allocUnsafeSlow(readBytes), 0, readBytes, position)
}

function rows(subjects: readonly Subject[]): Row[] {
  const [shortest] = subjects
  const figures = (
    what: string,
    of: (subject: Subject) => readonly number[],
    unit = 'us',
    middle = lowerQuartile,
  ) => {
    const baseline = middle(of(shortest!))
    return subjects.map((subject) => {
      return row(`${what}, ${subject.name}`, middle(of(subject)), unit, baseline)
    })
  }
  return [
    ...figures('append', (subject) => subject.appendUs),
    ...figures('random read in a stretch', (subject) => subject.stretchUs),
    ...figures('random read anywhere', (subject) => subject.readUs),
    ...figures('bare read of the file', (subject) => subject.bareUs),
    ...figures('file reads per random read', (subject) => subject.fileReads, 'reads', mean),
  ]
}
