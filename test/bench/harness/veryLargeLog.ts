// A log of many gigabytes beside one of a thousandth of that: the time to open it after a clean
// shutdown and after a SIGKILL, and the cost of appends and reads. Every figure comes from its own
// process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runMeasured } from './measuredProcess.ts'
import { type BenchOptions, type Row, row } from './row.ts'
import type { LogFigures } from './veryLargeLogProcess.ts'

const program = fileURLToPath(new URL('veryLargeLogProcess.ts', import.meta.url))
const smallShare = 1 / 1000

interface Opened extends LogFigures {
  readonly peakMb: number
}

export async function largeLogRows({ directory, gigabytes = 20 }: BenchOptions): Promise<Row[]> {
  const small = join(directory, 'small')
  const large = join(directory, 'large')
  await runMeasured([program, small, 'fill', String(gigabytes * smallShare)])
  await runMeasured([program, large, 'fill', String(gigabytes)])
  const rows: Row[] = []
  for (const end of ['closed in order', 'SIGKILL']) {
    if (end === 'SIGKILL') for (const path of [small, large]) await killed(path)
    const baseline = await opened(small)
    const ours = await opened(large)
    const name = `${gigabytes} GB, ${end}`
    rows.push(
      row(`open, ${name}`, ours.openMs, 'ms', baseline.openMs),
      row(`most memory, ${name}`, ours.peakMb, 'MB', baseline.peakMb),
      row(`append, ${name}`, ours.appendUs, 'us', baseline.appendUs),
      row(`random read, ${name}`, ours.readUs, 'us', baseline.readUs),
      row(`file reads per random read, ${name}`, ours.fileReads, 'reads', baseline.fileReads),
    )
  }
  return rows
}

async function opened(path: string): Promise<Opened> {
  const { output, peakBytes = Number.NaN } = await runMeasured([program, path, 'open'])
  return { ...(JSON.parse(output) as LogFigures), peakMb: peakBytes / 1e6 }
}

/** Leaves a log with a recovery point in the last segment, and records after it. */
async function killed(path: string): Promise<void> {
  const child = spawn(process.execPath, [program, path, 'kill'], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  if (signal !== 'SIGKILL') throw new Error('the process should have been killed')
}
