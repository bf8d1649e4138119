// The demo as a user runs it, from a file to the result: lines per second by its own account and as
// observed from outside, memory, processor time. Baseline: a loop that counts the same columns of
// the same file, and moves, stores and survives nothing.

import { join } from 'node:path'
import { millrace } from './harness/childProcess.ts'
import { median } from './harness/measure.ts'
import { type MeasuredRun, runMeasured } from './harness/measuredProcess.ts'
import {
  countOrders,
  type Demographics,
  type OrderFile,
  writeOrderFile,
} from './harness/orderFile.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'
import { requireSameDemographics } from './harness/sameDemographics.ts'

export const description = 'the whole demo, from a file of lines to the counted result'

const lines = 5_000_000
/** With fewer runs, one unusually fast run would decide the median. */
const leastRuns = 3

/** Output of `demo --json`, as far as it is used here. */
interface DemoResult {
  readonly lines: number
  readonly age_range: Demographics['ages']
  readonly gender: Demographics['genders']
  readonly lines_per_second: number
}

interface DemoRun extends MeasuredRun {
  readonly linesPerSecond: number
}

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const orders = await writeOrderFile(join(directory, 'orders.csv'), lines)
  const { demographics } = countOrders(orders)
  const demos: DemoRun[] = []
  const loops: { linesPerSecond: number; cpuSeconds: number }[] = []
  const endMs = performance.now() + seconds * 1000
  while (demos.length < leastRuns || performance.now() < endMs) {
    loops.push(runLoop(orders))
    demos.push(await runDemo(orders, demographics))
  }
  return rowsOf(demos, loops)
}

async function runDemo(orders: OrderFile, expected: Demographics): Promise<DemoRun> {
  const ports = ['--port', '0', '--console-port', '0']
  const args = ['demo', '--input', orders.path, '--once', '--json', ...ports]
  const measured = await runMeasured([millrace, ...args])
  const result = JSON.parse(measured.output) as DemoResult
  if (result.lines !== lines) throw new Error(`the demo counted ${result.lines} of ${lines} lines`)
  requireSameDemographics({ ages: result.age_range, genders: result.gender }, expected)
  return { ...measured, linesPerSecond: result.lines_per_second }
}

function runLoop(orders: OrderFile) {
  const before = process.cpuUsage()
  const { records, seconds } = countOrders(orders)
  const { user, system } = process.cpuUsage(before)
  return { linesPerSecond: records / seconds, cpuSeconds: (user + system) / 1e6 }
}

/** Medians, and the highest of the peaks; omits figures that the system does not report. */
function rowsOf(
  demos: readonly DemoRun[],
  loops: readonly { linesPerSecond: number; cpuSeconds: number }[],
): Row[] {
  const inside = median(demos.map(({ linesPerSecond }) => linesPerSecond))
  const outside = median(demos.map(({ seconds }) => lines / seconds))
  const loop = median(loops.map(({ linesPerSecond }) => linesPerSecond))
  const peaks = demos.flatMap(({ peakBytes }) => peakBytes ?? [])
  const cpu = demos.flatMap(({ cpuSeconds }) => cpuSeconds ?? [])
  const loopCpu = median(loops.map(({ cpuSeconds }) => cpuSeconds))
  const millions = lines / 1e6
  return [
    row('file to result', inside, 'lines/s', loop),
    row('file to result, with start and stop', outside, 'lines/s', loop),
    ...(peaks.length > 0 ? [row('resident memory, peak', Math.max(...peaks) / 1e6, 'MB')] : []),
    ...(cpu.length > 0
      ? [row('processor time', median(cpu) / millions, 's/million lines', loopCpu / millions)]
      : []),
  ]
}
