// A broker inside a test (millrace/testing): how soon clients can connect, and its memory. In its
// own process, with nothing warmed up; a bare TCP server is the baseline of a start.

import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { median } from './harness/measure.ts'
import { type BenchOptions, type Row, row } from './harness/row.ts'

export const description = 'start brokers inside a test: ready time and memory of twenty'

const coldRuns = 5
const warmStarts = 100
const testing = pathToFileURL(join(import.meta.dirname, '../../broker/testing/testing.ts')).href

/** Output of the program below: times in ms, memory in bytes. */
interface Measured {
  readonly importMs: number
  readonly firstMs: number
  readonly warmMs: readonly number[]
  readonly bareMs: readonly number[]
  readonly twentyMs: number
  readonly rssBytes: number
  readonly heapBytes: number
}

const program = `
import net from 'node:net'
const timed = async (work) => { const start = performance.now(); await work(); return performance.now() - start }
let startBroker
const importMs = await timed(async () => ({ startBroker } = await import('${testing}')))
const start = () => startBroker({ topics: ['orders'] })
let broker
const firstMs = await timed(async () => { broker = await start() })
await broker.close()
const memory = () => { gc(); gc(); const { rss, heapUsed, external } = process.memoryUsage(); return { rss, heap: heapUsed + external } }
const before = memory()
let brokers
const twentyMs = await timed(async () => { brokers = await Promise.all(Array.from({ length: 20 }, start)) })
// Waits for the first check of the disk, at which the reserves are created.
await new Promise((resolve) => setTimeout(resolve, 1500))
const after = memory()
await Promise.all(brokers.map((each) => each.close()))
const rssBytes = after.rss - before.rss
const heapBytes = after.heap - before.heap
const warmMs = []
const bareMs = []
for (let count = 0; count < ${warmStarts}; count++) {
  warmMs.push(await timed(async () => { broker = await start() }))
  await broker.close()
  const server = net.createServer()
  bareMs.push(await timed(() => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))))
  await new Promise((resolve) => server.close(resolve))
}
console.log(JSON.stringify({ importMs, firstMs, warmMs, bareMs, twentyMs, rssBytes, heapBytes }))
`

export async function run({ directory }: BenchOptions): Promise<Row[]> {
  const path = join(directory, 'program.mjs')
  await writeFile(path, program)
  const runs: Measured[] = []
  for (let count = 0; count < coldRuns; count++) {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', path])
    runs.push(JSON.parse(stdout) as Measured)
  }
  const of = (figure: (measured: Measured) => number) => median(runs.map(figure))
  const bareMs = of((each) => median([...each.bareMs]))
  const mebibyte = 1024 ** 2
  return [
    row(
      'import of the module',
      of((each) => each.importMs),
      'ms',
    ),
    row(
      'first broker of a process',
      of((each) => each.firstMs),
      'ms',
      bareMs,
    ),
    row(
      'warm start, median',
      of((each) => median([...each.warmMs])),
      'ms',
      bareMs,
    ),
    row(
      'warm start, 95th percentile',
      of((each) => percentile95(each.warmMs)),
      'ms',
    ),
    row(
      '20 brokers at once, all ready',
      of((each) => each.twentyMs),
      'ms',
    ),
    row('20 brokers, resident memory', of((each) => each.rssBytes) / mebibyte, 'MiB'),
    row('20 brokers, heap and buffers', of((each) => each.heapBytes) / mebibyte, 'MiB'),
  ]
}

function percentile95(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length * 0.95)]!
}
