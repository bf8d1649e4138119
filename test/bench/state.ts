// A state of a million keys in two partitions, as the executors of a job have it: the cost of
// batches that change none, one, a thousand and a hundred thousand of its keys; of a restart
// (opening and a batch of 1,000 keys); memory and disk. And for a million keys with a time to live,
// a batch in which a thousand are added and a thousand expire.

import { join } from 'node:path'
import type { ExpiringFigures } from './harness/expiringProcess.ts'
import { runMeasured } from './harness/measuredProcess.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'
import type { StateFigures } from './harness/stateProcess.ts'

export const description = 'batches over a state of a million keys: touched keys, restart, memory'

const keys = 1_000_000
const program = join(import.meta.dirname, 'harness', 'stateProcess.ts')
const expiringProgram = join(import.meta.dirname, 'harness', 'expiringProcess.ts')

export async function run({ directory, seconds }: BenchOptions): Promise<Row[]> {
  const state = join(directory, 'state')
  await runMeasured([program, 'fill', state, String(keys), String(seconds)])
  const few = await figures(['small', state, String(keys), String(seconds)])
  const many = await figures(['large', state, String(keys), String(seconds)])
  const expiring = await expiringFigures([
    join(directory, 'expiring'),
    String(keys),
    String(seconds),
  ])
  return [
    row('restart to first batch', few.restartMs, 'ms'),
    ...few.batches.map(batchRow),
    row('memory, 0 to 1,000 keys touched', few.peakBytes / 1e6, 'MB'),
    ...many.batches.map(batchRow),
    row('memory, 100,000 keys touched', many.peakBytes / 1e6, 'MB'),
    row('disk', many.diskBytes / 1e6, 'MB'),
    row('batch with 1,000 new keys and 1,000 that expire', expiring.ms, 'ms'),
    row('memory, with a time to live', expiring.peakBytes / 1e6, 'MB'),
  ]
}

function batchRow({ touched, ms }: StateFigures['batches'][number]): Row {
  if (touched === 0) return row('empty batch', ms * 1000, 'us')
  const keys = `${touched.toLocaleString('en-US')} ${touched === 1 ? 'key' : 'keys'}`
  return row(`batch touching ${keys}`, ms, 'ms')
}

async function expiringFigures(
  args: readonly string[],
): Promise<ExpiringFigures & { peakBytes: number }> {
  const { output, peakBytes = Number.NaN } = await runMeasured([expiringProgram, ...args])
  const measured = JSON.parse(output) as ExpiringFigures
  if (measured.expired !== 1000) throw new Error(`${measured.expired} keys expire in a batch`)
  return { ...measured, peakBytes }
}

async function figures(args: readonly string[]): Promise<StateFigures & { peakBytes: number }> {
  const { output, peakBytes = Number.NaN } = await runMeasured([program, ...args])
  return { ...(JSON.parse(output) as StateFigures), peakBytes }
}
