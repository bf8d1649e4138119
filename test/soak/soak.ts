// `npm run soak -- [--minutes N] [--rate LINES]`: the demo, and beside it a standalone broker with
// an agent and a job, each in its own process, for an hour. Once a minute each program is observed
// from outside (scrape, memory, CPU, disk, log, health). Ends with the figures; the exit code is 1
// if a program ended or was unhealthy, or if a line was not counted exactly once.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { LineFeed } from '../../engine/jobs/lineFeed.ts'
import { OrderLines } from '../../engine/jobs/orderLines.ts'
import { nodeDisk } from '../../protocol/runtime/disk/nodeDisk.ts'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { systemClock } from '../../protocol/runtime/time/clock.ts'
import { type SoakRow, WatchedProgram, type WatchOptions } from './watchedProgram.ts'

const { minutes, rate } = soakArguments()
const lookIntervalMs = 60_000
const drainTimeoutMs = 120_000

const directory = await mkdtemp(join(tmpdir(), 'millrace-soak-'))
const programs: WatchedProgram[] = []
let failure: unknown
try {
  failure = await run().catch((error: unknown) => error)
} finally {
  for (const { program } of programs.toReversed()) await program.stop()
  report()
  await rm(directory, { recursive: true, force: true })
}
if (failure !== undefined) {
  process.stdout.write(`FAILED: ${failure instanceof Error ? failure.stack : String(failure)}\n`)
  process.exitCode = 1
}

/** Exits with the usage if the arguments are invalid. */
function soakArguments(): { readonly minutes: number; readonly rate: number } {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '60' },
        rate: { type: 'string', default: '1000' },
      },
    })
    return {
      minutes: positive('--minutes', values.minutes),
      rate: positive('--rate', values.rate),
    }
  } catch (error) {
    const { message } = error as Error
    process.stderr.write(`soak: ${message}\nusage: npm run soak -- [--minutes N] [--rate LINES]\n`)
    process.exit(2)
  }
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (value > 0 && Number.isFinite(value)) return value
  throw new RangeError(`${option} must be a positive number, not ${text}`)
}

async function run(): Promise<void> {
  // The demo works in the temporary directory.
  const demoDirectory = join(directory, 'demo')
  await nodeDisk.makeDirectory(demoDirectory)
  await start('demo', ['demo', '--port', '0', '--console-port', '0', '--log-level', 'info'], {
    ready: /console: (http:\S+)/,
    directory: demoDirectory,
    environment: { TMPDIR: demoDirectory },
  })
  const brokerPort = await freePort()
  const brokerDirectory = join(directory, 'broker')
  const bootstrap = `127.0.0.1:${brokerPort}`
  await start(
    'broker',
    ['broker', '--port', String(brokerPort), '--console-port', '0', '--data', brokerDirectory],
    { ready: /console at (http:\S+)/, directory: brokerDirectory },
  )
  const agentDirectory = join(directory, 'agent-host')
  await nodeDisk.makeDirectory(agentDirectory)
  await start(
    'agent',
    [
      ...['agent', '--name', 'orders', '--conf-file', 'agent/orders.conf'],
      ...[`-Ddemo.directory=${agentDirectory}`, `-Ddemo.bootstrap=${bootstrap}`],
    ],
    { ready: /started.*?(http:\/\/[\d.:]+)/, directory: agentDirectory },
  )
  const jobDirectory = join(directory, 'job')
  await start(
    'job',
    [
      ...['job', 'submit', 'engine/jobs/orderDemographics.ts'],
      ...['--bootstrap', bootstrap, '--directory', jobDirectory],
    ],
    { ready: /running at (http:[^\s,]+)/, directory: jobDirectory },
  )
  const feed = new LineFeed({
    disk: nodeDisk,
    clock: systemClock,
    source: new OrderLines(systemRandom()),
    path: join(agentDirectory, 'orders.log'),
    ratePerSecond: rate,
  })
  const fed = feed.run()
  for (let minute = 1; minute <= minutes; minute++) {
    await setTimeout(lookIntervalMs)
    for (const program of programs) await program.look()
    process.stdout.write(`${minute} min: ${programs.map(oneLine).join(' | ')}\n`)
  }
  feed.stop()
  await requireCounted(await fed)
}

async function start(name: string, words: readonly string[], options: WatchOptions): Promise<void> {
  const program = new WatchedProgram(name, words, options)
  programs.push(program)
  await program.start()
}

/** Checks that the job has counted every line exactly once. */
async function requireCounted(lines: number): Promise<void> {
  const job = programs.at(-1)!
  const deadlineMs = systemClock.monotonicMs() + drainTimeoutMs
  for (;;) {
    const counted = await job.metric('millrace_job_records_total')
    if (counted === lines) {
      process.stdout.write(`${lines} lines written, ${counted} counted\n`)
      return
    }
    if (counted > lines || systemClock.monotonicMs() > deadlineMs) {
      throw new Error(`${lines} lines were written, and ${counted} counted`)
    }
    await setTimeout(500)
  }
}

function oneLine({ name, rows }: WatchedProgram): string {
  const { residentMb, diskMb, scrapeMs, reasons } = rows.at(-1)!
  const well = reasons.length === 0 ? '' : ` ${reasons.join(' ')}`
  return `${name} ${residentMb.toFixed(0)} MB, disk ${diskMb.toFixed(0)} MB, scrape ${scrapeMs.toFixed(1)} ms${well}`
}

function report(): void {
  process.stdout.write(
    '\n| program | memory first, last, most (MB) | CPU of a core | scrape median, most (ms) | scrape (KB) | ' +
      'loop p99 most (ms) | disk first, last, most (MB) | log lines | not well |\n|---|---|---|---|---|---|---|---|---|\n',
  )
  for (const program of programs) {
    const { name, rows, remarks } = program
    if (rows.length === 0) continue
    process.stdout.write(`| ${name} | ${columns(rows).join(' | ')} |\n`)
    for (const remark of remarks) process.stdout.write(`    ${remark}\n`)
    const bad = rows.flatMap(({ reasons }) => reasons)
    if (bad.length > 0) failure ??= `${name} was not well: ${[...new Set(bad)].join(', ')}`
  }
}

function columns(rows: readonly SoakRow[]): string[] {
  const [first, last] = [rows[0]!, rows.at(-1)!]
  const most = (of: (row: SoakRow) => number) => Math.max(...rows.map(of))
  const scrapes = rows.map(({ scrapeMs }) => scrapeMs).sort((a, b) => a - b)
  const seconds = ((rows.length - 1) * lookIntervalMs) / 1000
  const share = rows.length < 2 ? Number.NaN : (last.cpuSeconds - first.cpuSeconds) / seconds
  const whole = (of: (row: SoakRow) => number) =>
    [of(first), of(last), most(of)].map((value) => value.toFixed(0)).join(', ')
  return [
    whole(({ residentMb }) => residentMb),
    `${(share * 100).toFixed(1)} %`,
    `${scrapes[scrapes.length >> 1]!.toFixed(1)}, ${scrapes.at(-1)!.toFixed(1)}`,
    (last.scrapeBytes / 1024).toFixed(0),
    most(({ loopP99Ms }) => loopP99Ms).toFixed(0),
    whole(({ diskMb }) => diskMb),
    Object.entries(last.logLines)
      .map(([level, count]) => `${count} ${level}`)
      .join(', '),
    String(rows.filter(({ reasons }) => reasons.length > 0).length),
  ]
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
