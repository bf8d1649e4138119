// The cost of an append, and of a read at a random offset, in logs of very different length. It must
// not depend on the length: the baseline of each figure is the shortest log, in the same run.

import { join } from 'node:path'
import type { PartitionLog } from '../../broker/log/partitionLog.ts'
import { seededRandom } from '../../protocol/runtime/random.ts'
import { append, fillLog, openLog } from './harness/logs.ts'
import { durationMs, median } from './harness/measure.ts'
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
  readonly records: number
  readonly appendUs: number[]
  readonly readUs: number[]
}

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const subjects: Subject[] = []
  try {
    for (const { name, records } of lengths) {
      const log = await openLog(join(directory, String(records)), 'os')
      subjects.push({ name, log, records, appendUs: [], readUs: [] })
      await fillLog(log, orderBatchesOf(10, recordsPerBatch), records)
      // What is filled in a hurry is written back for a long time, which the figures would show.
      await log.flush()
    }
    await measure(subjects, seconds)
    return rows(subjects)
  } finally {
    for (const { log } of subjects) await log.close()
  }
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
      // The first rounds run code that is not compiled yet.
      if (round < 5) continue
      subject.appendUs.push((appending * 1000) / appendsPerRound)
      subject.readUs.push((reading * 1000) / readsPerRound)
    }
  }
}

function rows(subjects: readonly Subject[]): Row[] {
  const [shortest] = subjects
  const figures = (of: (subject: Subject) => number[], what: string) =>
    subjects.map((subject) => {
      return row(`${what}, ${subject.name}`, median(of(subject)), 'us', median(of(shortest!)))
    })
  return [
    ...figures((subject) => subject.appendUs, 'append'),
    ...figures((subject) => subject.readUs, 'random read'),
  ]
}
