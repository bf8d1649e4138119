#!/usr/bin/env node
// The front door: one command, every program a subcommand, and the only file that knows every room.
// A program's code is loaded when its command is given, so that none waits for what it does not use.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { enableCompileCache } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, extname, join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import type { Board } from './broker/admin/board.ts'
import type { LineSource } from './engine/jobs/lineFeed.ts'
import type { RunningJob } from './engine/submit.ts'
import type { Clock, Timer } from './protocol/runtime/clock.ts'
import { isOperational } from './protocol/runtime/operational.ts'
import type { Runtime } from './protocol/runtime/runtime.ts'
import type { JobStatus } from './protocol/telemetry/status.ts'

interface DemoOptions {
  readonly input?: string
  readonly rate?: number
  readonly once?: true
  readonly json?: true
  readonly port?: number
  readonly consolePort?: number
}

const defaultRate = 2_000
const defaultPort = 9092
const defaultConsolePort = 8080
const batchIntervalMs = 500
/** The broker's name for those in the same process. */
const inside = { host: 'millrace.inside', port: 9092 }

async function main(): Promise<void> {
  try {
    await commands().parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else if (isOperational(error)) {
      process.stderr.write(`millrace: ${error.message}\n`)
      process.exitCode = 1
    } else throw error
  }
}

function commands(): Command {
  const program = new Command('millrace')
    .description(
      'Log lines from the hosts that write them into results that are always up to date.',
    )
    .exitOverride()
  program
    .command('demo')
    .description('the main job in one process: orders are written, tailed, stored, counted, shown')
    .option('--input <file>', 'feed this file in place of generated orders')
    .option('--rate <lines>', 'lines a second (default: 2000; a file as fast as it goes)', positive)
    .option('--once', 'end when every line of the input has been counted')
    .option('--json', 'print one JSON object at the end and nothing else on standard output')
    .option('--console-port <port>', 'where the page is (default: 8080, or a free one)', port)
    .option('--port <port>', 'where Kafka clients may look in (default: 9092, or a free one)', port)
    .action(demo)
  program
    .command('broker')
    .description('a commit log that Kafka clients can talk to')
    .option('--port <port>', 'where to listen (default: 9092)', port)
    .option('--host <address>', 'on which address (default: 127.0.0.1)')
    .option('--data <directory>', 'where the data is (default: millrace-data)')
    .option('--config <file>', "options in Kafka's server.properties format")
    .action(async (options) => (await import('./broker/command.ts')).brokerCommand(options))
  program
    .command('agent')
    .description("runs an agent of a flume.conf, with flume-ng agent's options")
    .argument('[options...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (words: string[]) => {
      process.exitCode = await (await import('./agent/command.ts')).agentCommand(words)
    })
  program
    .command('submit')
    .description('runs a job, a TypeScript module, until it is stopped')
    .argument('<job>', "the job's module")
    .option('--bootstrap <host:port,...>', 'brokers to ask first', '127.0.0.1:9092')
    .option('--directory <directory>', 'where offsets and state are (default: millrace-jobs/JOB)')
    .option('--executors <number>', 'worker threads (default: 2)', positive)
    .option('--batch-interval-ms <ms>', 'time between batches (default: 1000)', positive)
    .option('--task-timeout-ms <ms>', 'limit of one attempt of a task (default: 300000)', positive)
    .option('--isolation-level <level>', 'read_committed (default) or read_uncommitted', isolation)
    .action(async (module: string, options) => {
      const directory = join('millrace-jobs', basename(module, extname(module)))
      await (await import('./engine/command.ts')).submitCommand({
        directory,
        ...options,
        job: module,
      })
    })
  return program
}

/** The main job, end to end, in this process. What was started last is stopped first. */
async function demo(options: DemoOptions): Promise<void> {
  if (options.once && options.input === undefined) {
    throw new DemoError('--once needs --input FILE: generated orders have no end')
  }
  const stops: (() => Promise<unknown>)[] = []
  try {
    await runDemo(options, (stop) => stops.push(stop))
  } finally {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop()
  }
}

/** Everything the demo is made of, under the names that the rooms give it. */
async function loadRooms() {
  const [client, runtime, telemetry, broker, agent, engine] = await Promise.all([
    Promise.all([import('./protocol/client/cluster.ts'), import('./protocol/client/admin.ts')]),
    Promise.all([
      import('./protocol/runtime/memoryNetwork.ts'),
      import('./protocol/runtime/networks.ts'),
      import('./protocol/runtime/nodeRuntime.ts'),
      import('./protocol/runtime/tcpNetwork.ts'),
    ]),
    Promise.all([
      import('./protocol/telemetry/logger.ts'),
      import('./protocol/telemetry/metrics.ts'),
      import('./protocol/telemetry/statusTopic.ts'),
    ]),
    Promise.all([
      import('./broker/broker.ts'),
      import('./broker/configuration.ts'),
      import('./broker/admin/console.ts'),
      import('./broker/admin/terminalTable.ts'),
    ]),
    import('./agent/agent.ts'),
    Promise.all([
      import('./engine/submit.ts'),
      import('./engine/jobs/fileLines.ts'),
      import('./engine/jobs/lineFeed.ts'),
      import('./engine/jobs/orderLines.ts'),
    ]),
  ])
  return {
    ...client[0],
    ...client[1],
    ...runtime[0],
    ...runtime[1],
    ...runtime[2],
    ...runtime[3],
    ...telemetry[0],
    ...telemetry[1],
    ...telemetry[2],
    ...broker[0],
    ...broker[1],
    ...broker[2],
    ...broker[3],
    ...agent,
    ...engine[0],
    ...engine[1],
    ...engine[2],
    ...engine[3],
  }
}

type Rooms = Awaited<ReturnType<typeof loadRooms>>
type OnStop = (stop: () => Promise<unknown>) => void

async function runDemo(options: DemoOptions, onStop: OnStop): Promise<void> {
  const interrupted = stopSignal()
  const rooms = await loadRooms()
  // Agent, engine and console reach the broker through memory; whoever looks in, through TCP.
  const memory = rooms.memoryNetwork()
  const network = rooms.routedNetwork(({ host }) =>
    host === inside.host ? memory : rooms.tcpNetwork,
  )
  const runtime = rooms.nodeRuntime(network)
  const logger = rooms.pinoLogger('error')
  const source = await openSource(options, rooms, runtime)
  onStop(() => source.close())
  const directory = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  onStop(() => rm(directory, { recursive: true, force: true }))

  const metrics = new rooms.Metrics()
  const broker = await onPort(options.port, defaultPort, (port) =>
    rooms.startBroker({
      runtime,
      logger,
      metrics,
      config: rooms.brokerConfig({ 'log.dir': join(directory, 'broker') }),
      listeners: [
        { name: 'INSIDE', network: memory, address: inside },
        { name: 'PLAINTEXT', network: rooms.tcpNetwork, address: { host: '127.0.0.1', port } },
      ],
    }),
  )
  onStop(() => broker.close())
  const cluster = new rooms.Cluster(runtime, { bootstrap: [inside], clientId: 'millrace-demo' })
  onStop(() => cluster.close())
  await new rooms.Admin(cluster).createTopics([
    { name: 'orders', partitions: 2 },
    rooms.newStatusTopic,
  ])

  const page = await onPort(options.consolePort, defaultConsolePort, (port) =>
    rooms.startConsole({
      runtime,
      logger,
      address: { host: '127.0.0.1', port },
      bootstrap: [inside],
      topics: () => broker.topics(),
      metrics: () => metrics.expose(),
    }),
  )
  onStop(() => page.close())
  const job = await rooms.submitJob({
    runtime,
    logger,
    module: new URL('./engine/jobs/orderDemographics.ts', import.meta.url),
    bootstrap: [inside],
    directory: join(directory, 'job'),
    batchIntervalMs,
  })
  onStop(() => job.stop({ graceful: true }))
  const agent = await rooms.startAgent({
    runtime,
    logger,
    name: 'orders',
    configuration: await readFile(new URL('./agent/orders.conf', import.meta.url), 'latin1'),
    systemProperties: {
      'demo.directory': directory,
      'demo.bootstrap': `${inside.host}:${inside.port}`,
    },
  })
  onStop(() => agent.stop())

  const ratePerSecond = options.rate ?? source.ratePerSecond
  const path = join(directory, 'orders.log')
  const feed = new rooms.LineFeed({
    disk: runtime.disk,
    clock: runtime.clock,
    source,
    path,
    ratePerSecond,
  })
  const startMs = runtime.clock.monotonicMs()
  const fed = feed.run()
  onStop(async () => {
    feed.stop()
    await fed
  })
  if (!options.json) {
    const outside = broker.listeners[1]!.address.port
    process.stderr.write(
      `the page: ${page.url}\nKafka clients: 127.0.0.1:${outside}, topic orders\n`,
    )
    onStop(showTable(page.board, runtime.clock, rooms))
  }

  const ends: Promise<unknown>[] = [interrupted, job.finished, agent.failed, broker.failed]
  if (options.once) ends.push(fed.then((lines) => counted(job, lines)))
  await Promise.race(ends)
  const seconds = (runtime.clock.monotonicMs() - startMs) / 1000
  report(options, rooms, job.status(), seconds)
}

interface Source extends LineSource {
  readonly ratePerSecond: number
  close(): Promise<void>
}

/** The file, or orders without end. */
async function openSource(
  { input }: DemoOptions,
  { OrderLines, FileLines }: Rooms,
  { disk, random }: Runtime,
): Promise<Source> {
  if (input === undefined) {
    const orders = new OrderLines(random)
    return {
      next: (most) => orders.next(most),
      ratePerSecond: defaultRate,
      close: async () => {},
    }
  }
  const stat = await disk.stat(input)
  if (stat === undefined) throw new DemoError(`${input}: there is no such file`)
  if (stat.isDirectory) throw new DemoError(`${input} is a folder: give a file of lines`)
  const file = await FileLines.open(disk, input)
  return {
    next: (most) => file.next(most),
    ratePerSecond: Number.POSITIVE_INFINITY,
    close: () => file.close(),
  }
}

/** Starts something on the port asked for; on the usual one otherwise, or on a free one. */
async function onPort<T>(
  wanted: number | undefined,
  usual: number,
  start: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await start(wanted ?? usual)
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (wanted !== undefined || (code !== 'ADDRESS_IN_USE' && code !== 'PORT_IN_USE')) throw error
    return await start(0)
  }
}

/** Resolves when the job's committed batches hold at least so many records. */
function counted(job: RunningJob, lines: number): Promise<void> {
  return new Promise((resolve) => {
    const check = (status: JobStatus) => {
      if (status.recordsTotal < lines) return
      stopListening()
      resolve()
    }
    const stopListening = job.onBatch(check)
    check(job.status())
  })
}

/** Redraws the board once a second, in place on a terminal. Returns what draws it a last time. */
function showTable(board: Board, clock: Clock, { terminalTable }: Rooms): () => Promise<void> {
  const onTerminal = process.stdout.isTTY === true
  let height = 0
  let timer: Timer
  const draw = () => {
    const text = terminalTable(board.picture(clock.nowMs()), onTerminal)
    process.stdout.write(height === 0 ? text : `\x1b[${height}A\x1b[0J${text}`)
    height = onTerminal ? text.split('\n').length - 1 : 0
  }
  const again = () => {
    timer = clock.setTimer(onTerminal ? 1_000 : 10_000, again)
    draw()
  }
  timer = clock.setTimer(1_000, again)
  return async () => {
    timer.cancel()
  }
}

/** What came out: one JSON object, or a table for people. */
function report({ json }: DemoOptions, { table }: Rooms, status: JobStatus, seconds: number): void {
  const lines = status.recordsTotal
  const rows = (name: string) => status.views.find((view) => view.name === name)?.rows ?? []
  const byAge = rows('orders-by-age')
  const orders = byAge.reduce((sum, [, count]) => sum + count, 0)
  const result = {
    lines,
    orders,
    age_range: Object.fromEntries(byAge),
    gender: Object.fromEntries(rows('orders-by-gender')),
    seconds: Number(seconds.toFixed(3)),
    lines_per_second: Math.round(lines / seconds),
  }
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`)
    return
  }
  const bars = status.views.filter(({ chart }) => chart === 'bar')
  process.stdout.write(
    [
      '',
      `${lines} lines, ${orders} orders, ${result.seconds} s, ${result.lines_per_second} lines/s`,
      ...bars.flatMap((view) => ['', ...table(view)]),
      '',
    ].join('\n'),
  )
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
}

class DemoError extends Error {
  readonly code = 'DEMO'
}

function port(text: string): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value
  throw new InvalidArgumentError('give a port from 1 to 65535, or 0 for a free one.')
}

function isolation(text: string): 'committed' | 'uncommitted' {
  if (text === 'read_committed') return 'committed'
  if (text === 'read_uncommitted') return 'uncommitted'
  throw new InvalidArgumentError('give read_committed or read_uncommitted.')
}

function positive(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value > 0 && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('give a whole number of at least 1.')
}

// Types stripped and code compiled once are kept: it makes a start three times as fast.
enableCompileCache(join(import.meta.dirname, 'node_modules', '.cache', 'compile'))
await main()
