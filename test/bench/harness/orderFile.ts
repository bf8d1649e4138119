// A file of generated order lines, and the simplest loops over it: the baselines of agent, engine
// and both together. The loops have one thread, one buffer, and no checks of the input.

import { closeSync, openSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { maxOrderLineBytes, OrderLines } from '../../../engine/jobs/orderLines.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import type { Throughput } from './row.ts'

export interface OrderFile {
  readonly path: string
  readonly lines: number
  readonly bytes: number
}

/** Purchases by `age_range` and by `gender`, as the job orderDemographics counts them. */
export interface Demographics {
  readonly ages: Readonly<Record<string, number>>
  readonly genders: Readonly<Record<string, number>>
}

const chunkBytes = 1024 * 1024
const linesAtOnce = 50_000
const newline = 0x0a
const comma = 0x2c
/** The byte of the column `action_type` that stands for a purchase. */
const purchase = 0x32

/** Writes the file; its content depends only on the number of lines. */
export async function writeOrderFile(path: string, lines: number): Promise<OrderFile> {
  const orders = new OrderLines(seededRandom(1))
  const into = Buffer.alloc(linesAtOnce * maxOrderLineBytes)
  const file = await open(path, 'w')
  let bytes = 0
  try {
    for (let left = lines; left > 0; left -= linesAtOnce) {
      const end = orders.fill(into, 0, Math.min(left, linesAtOnce))
      await file.write(into, 0, end, bytes)
      bytes += end
    }
  } finally {
    await file.close()
  }
  return { path, lines, bytes }
}

/** Finds the end of every line. */
export function findLines({ path, bytes }: OrderFile): Throughput {
  const startMs = performance.now()
  let records = 0
  forEachChunk(path, (chunk) => {
    let end = -1
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) {
      end = at
      records++
    }
    return end + 1
  })
  return { bytes, records, seconds: (performance.now() - startMs) / 1000 }
}

/** Counts the purchases of the file. */
export function countOrders(file: OrderFile): Throughput & { demographics: Demographics } {
  const startMs = performance.now()
  const counts = new Map<string, number>()
  let records = 0
  forEachChunk(file.path, (chunk) => {
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      countLine(counts, chunk, end)
      records++
      start = end + 1
    }
    return start
  })
  const seconds = (performance.now() - startMs) / 1000
  return { bytes: file.bytes, records, seconds, demographics: demographicsOf(counts) }
}

/** Reads from the end of the line backwards: only the last three of nine columns are needed. */
function countLine(counts: Map<string, number>, chunk: Buffer, end: number): void {
  let genderAt = end
  while (chunk[genderAt - 1] !== comma) genderAt--
  let ageAt = genderAt - 1
  while (chunk[ageAt - 1] !== comma) ageAt--
  if (chunk[ageAt - 2] !== purchase) return
  const age = `age ${chunk.toString('latin1', ageAt, genderAt - 1)}`
  const gender = `gender ${chunk.toString('latin1', genderAt, end)}`
  counts.set(age, (counts.get(age) ?? 0) + 1)
  counts.set(gender, (counts.get(gender) ?? 0) + 1)
}

function demographicsOf(counts: ReadonlyMap<string, number>): Demographics {
  const named = (prefix: string) =>
    Object.fromEntries(
      [...counts]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, count]) => [key.slice(prefix.length), count]),
    )
  return { ages: named('age '), genders: named('gender ') }
}

/**
 * `take` returns how many bytes it has used; the rest is passed again, at the start of the next
 * chunk. Read synchronously, so that no other work comes in between.
 */
function forEachChunk(path: string, take: (chunk: Buffer) => number): void {
  const file = openSync(path, 'r')
  const buffer = Buffer.allocUnsafeSlow(chunkBytes)
  let kept = 0
  try {
    for (;;) {
      const read = readSync(file, buffer, kept, chunkBytes - kept, null)
      if (read === 0) return
      const chunk = buffer.subarray(0, kept + read)
      const used = take(chunk)
      buffer.copyWithin(0, used, chunk.length)
      kept = chunk.length - used
    }
  } finally {
    closeSync(file)
  }
}
