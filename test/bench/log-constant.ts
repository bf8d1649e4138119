// The cost of an append, and of a read at a random offset, in logs of very different length. It must
// not depend on the length: the baseline of each figure is the shortest log, in the same run. Bare
// reads at random positions of the same files show what the machine's own caches make of the length.

import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PartitionLog } from '../../broker/log/partitionLog.ts'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { append, fillLog, openLog } from './harness/logs.ts'
import { durationMs, lowerQuartile } from './harness/measure.ts'
import { orderBatchesOf } from './harness/orderBatches.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'append and random read at 1 thousand, 1 million and 50 million records'

const lengths = [
  { records: 1_000, name: '1 thousand' },
  { records: 1_000_000, name: '1 million' },
  { records: 50_000_000, name: '50 million' },
]
const recordsPerBatch = 100
/** A fetch of a small consumer: what lies around one offset. */
const readBytes = 4096
/** So few, that the shortest log stays short: it ends at some ten thousand records. */
const appendsPerRound = 20
const readsPerRound = 200

interface Subject {
  readonly name: string
  readonly log: PartitionLog
  /** Its segments' files. */
  readonly files: readonly { readonly handle: FileHandle; readonly bytes: number }[]
  readonly records: number
  readonly appendUs: number[]
  readonly readUs: number[]
  readonly bareUs: number[]
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
  const log = await openLog(directory, 'os')
  await fillLog(log, orderBatchesOf(10, recordsPerBatch), records)
  // What is filled in a hurry is written back for a long time, which the figures would show.
  await log.flush()
  const segments = (await readdir(directory)).filter((file) => file.endsWith('.log'))
  const files = await Promise.all(
    segments.map(async (segment) => {
      const handle = await open(join(directory, segment), 'r')
      return { handle, bytes: (await handle.stat()).size }
    }),
  )
  return { name, log, files, records, appendUs: [], readUs: [], bareUs: [] }
}

/** All logs in turn, round after round, in an order that changes: none is always the first. */
async function measure(subjects: readonly Subject[], seconds: number): Promise<void> {
  const random = seededRandom(7)
  const [batch] = orderBatchesOf(1, 1).batches
  const endMs = performance.now() + seconds * 1000
  for (let round = 0; round < 30 || performance.now() < endMs; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(round + turn) % subjects.length]!
      const appending = await durationMs(async () => {
        for (let count = 0; count < appendsPerRound; count++) await append(subject.log, batch!)
      })
      const reading = await durationMs(async () => {
        for (let count = 0; count < readsPerRound; count++) {
          const read = await subject.log.read(random.below(subject.records), readBytes)
          if (read.bytes.length === 0) throw new Error('a read that found nothing')
        }
      })
      const baring = await durationMs(async () => {
        for (let count = 0; count < readsPerRound; count++) await bareRead(subject, random)
      })
      // The first rounds run code that is not compiled yet.
      if (round < 5) continue
      subject.appendUs.push((appending * 1000) / appendsPerRound)
      subject.readUs.push((reading * 1000) / readsPerRound)
      subject.bareUs.push((baring * 1000) / readsPerRound)
    }
  }
}

async function bareRead({ files }: Subject, random: Random): Promise<void> {
  const { handle, bytes } = files[random.below(files.length)]!
  const position = random.below(bytes - readBytes)
  await handle.read(Buffer.allocUnsafeSlow(readBytes), 0, readBytes, position)
}

function rows(subjects: readonly Subject[]): Row[] {
  const [shortest] = subjects
  const figures = (of: (subject: Subject) => number[], what: string) =>
    subjects.map((subject) => {
      return row(
        `${what}, ${subject.name}`,
        lowerQuartile(of(subject)),
        'us',
        lowerQuartile(of(shortest!)),
      )
    })
  return [
    ...figures((subject) => subject.appendUs, 'append'),
    ...figures((subject) => subject.readUs, 'random read'),
    ...figures((subject) => subject.bareUs, 'bare read of the file'),
  ]
}
