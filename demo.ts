// `millrace demo`: the main job in one process. Orders are written to a file, tailed by an agent, stored by
// a broker, counted by a job and shown on a page. Beside the front door, the only file that knows every room.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Board } from './broker/admin/board/board.ts'
import type { HeldMessages } from './broker/admin/terminal/terminalScreen.ts'
import type { LineSource } from './engine/jobs/lineFeed.ts'
import type { RunningJob } from './engine/runningJob.ts'
import { CommandError } from './protocol/commandLine/commandError.ts'
import type { BuildInfo } from './protocol/operations/buildInfo.ts'
import type { Clock } from './protocol/runtime/clock.ts'
import { ownModule } from './protocol/runtime/ownModule.ts'
import type { Runtime } from './protocol/runtime/runtime.ts'
import { isReaderGone, type OutputFailed } from './protocol/runtime/standardStreams.ts'
import type { LogLevel } from './protocol/telemetry/logLevel.ts'
import type { LoggingOptions } from './protocol/telemetry/programLog.ts'
import type { JobStatus } from './protocol/telemetry/status.ts'

export interface DemoOptions extends LoggingOptions {
  readonly input?: string
  readonly rate?: number
  readonly once?: true
  readonly json?: true
  readonly port?: number
  readonly consolePort?: number
  readonly disk?: number
  readonly logLevel: LogLevel
}

export interface DemoDependencies {
  readonly outputFailed: OutputFailed
  readonly build: BuildInfo
}

const defaultRate = 2_000
const defaultPort = 9092
const defaultConsolePort = 8080
const batchIntervalMs = 500
/** Of the topic of orders. */
const orderPartitions = 2
const mebibyte = 1024 * 1024
export const defaultDiskMebibytes = 1024
export const leastDiskMebibytes = 256
/** Of the demo's disk space, what does not depend on how much it may take. */
const fixedDiskMebibytes = 160
const retentionCheckMs = 1_000
/** The broker's name for those in the same process. */
const inside = { host: 'millrace.inside', port: 9092 }

/** The main job, end to end, in this process. What was started last is stopped first. */
export async function demo(options: DemoOptions, dependencies: DemoDependencies): Promise<void> {
  if (options.once && options.input === undefined) {
    throw new CommandError('--once needs --input FILE: generated orders have no end')
  }
  const stops: (() => Promise<unknown>)[] = []
  try {
    await runDemo(options, dependencies, (stop) => stops.push(stop))
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
      import('./protocol/runtime/temporaryDirectory.ts'),
    ]),
    Promise.all([
      import('./protocol/telemetry/logger.ts'),
      import('./protocol/telemetry/logLines.ts'),
      import('./protocol/telemetry/metrics.ts'),
      import('./protocol/telemetry/statusTopic.ts'),
      import('./protocol/telemetry/programLog.ts'),
      import('./protocol/commandLine/loggingOptions.ts'),
      import('./protocol/telemetry/processMetrics.ts'),
      import('./protocol/runtime/processFigures.ts'),
    ]),
    Promise.all([
      import('./broker/broker.ts'),
      import('./broker/configuration.ts'),
      import('./broker/admin/console.ts'),
      import('./broker/admin/terminal/terminalTable.ts'),
      import('./broker/admin/terminal/terminalScreen.ts'),
    ]),
    Promise.all([
      import('./agent/agent.ts'),
      import('./agent/hostIdentity.ts'),
      import('./agent/monitoring/agentMetrics.ts'),
      import('./agent/sources/taildir/positionFile.ts'),
    ]),
    Promise.all([
      import('./engine/submit.ts'),
      import('./engine/jobMetrics.ts'),
      import('./engine/jobs/feedBacklog.ts'),
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
    ...runtime[4],
    ...telemetry[0],
    ...telemetry[1],
    ...telemetry[2],
    ...telemetry[3],
    ...telemetry[4],
    ...telemetry[5],
    ...telemetry[6],
    ...telemetry[7],
    ...broker[0],
    ...broker[1],
    ...broker[2],
    ...broker[3],
    ...broker[4],
    ...agent[0],
    ...agent[1],
    ...agent[2],
    ...agent[3],
    ...engine[0],
    ...engine[1],
    ...engine[2],
    ...engine[3],
    ...engine[4],
    ...engine[5],
  }
}

type Rooms = Awaited<ReturnType<typeof loadRooms>>
type OnStop = (stop: () => Promise<unknown>) => void

/** How the demo's disk space is shared out, so that all of it together stays below `--disk`. */
function diskShares(mebibytes: number) {
  // The agent's channel, the topic of statuses and the job's state are bounded by themselves.
  const free = (mebibytes - fixedDiskMebibytes) * mebibyte
  const share = (part: number) => Math.floor(free * part)
  return {
    journalFileBytes: Math.min(64 * mebibyte, share(1 / 16)),
    /** Of each of the two partitions, the segment that is being written not included. */
    retentionBytes: share(1 / 5),
    segmentBytes: share(1 / 16),
    logFileBytes: share(1 / 32),
    /** Below `retentionBytes`, or records would be removed before they are counted. */
    uncountedBytes: share(1 / 8),
  }
}

async function runDemo(
  options: DemoOptions,
  { outputFailed, build }: DemoDependencies,
  onStop: OnStop,
): Promise<void> {
  const interrupted = stopSignal()
  const rooms = await loadRooms()
  // Agent, engine and console reach the broker through memory; whoever looks in, through TCP.
  const memory = rooms.memoryNetwork()
  const network = rooms.routedNetwork(({ host }) =>
    host === inside.host ? memory : rooms.tcpNetwork,
  )
  const runtime = rooms.nodeRuntime(network)
  rooms.requireLogFile(options)
  const { lines, destination } = await rooms.openLog(options, 'error')
  // Lines on standard error would be drawn over; those in a file are not held.
  const messages = new rooms.HeldMessages(destination)
  const logger = rooms.pinoLogger(
    options.logLevel,
    options.logFile === undefined ? messages : destination,
  )
  const source = await openSource(options, rooms, runtime)
  onStop(() => source.close())
  const temporary = await rooms.makeTemporaryDirectory('millrace-demo-', runtime)
  onStop(() => temporary.remove())
  const directory = temporary.path
  for (const path of temporary.removed) logger.info({ path }, 'directory of a dead demo removed')

  const disk = diskShares(options.disk ?? defaultDiskMebibytes)
  const metrics = new rooms.Metrics()
  rooms.exposeLostLines(metrics, lines)
  rooms.exposeProcess(metrics, { program: 'demo', build, figures: rooms.processFigures() })
  const broker = await onPort(options.port, defaultPort, (port) =>
    rooms.startBroker({
      runtime,
      logger,
      metrics,
      config: rooms.brokerConfig({
        'log.dir': join(directory, 'broker'),
        'flush.journal.file.bytes': disk.journalFileBytes,
        'log.retention.check.interval.ms': retentionCheckMs,
        'log.initial.task.delay.ms': retentionCheckMs,
        'log.segment.delete.delay.ms': 0,
      }),
      listeners: [
        { name: 'INSIDE', network: memory, address: inside, isInProcess: true },
        { name: 'PLAINTEXT', network: rooms.tcpNetwork, address: { host: '127.0.0.1', port } },
      ],
    }),
  )
  onStop(() => broker.close())
  const cluster = new rooms.Cluster(runtime, { bootstrap: [inside], clientId: 'millrace-demo' })
  onStop(() => cluster.close())
  const configs = {
    'retention.bytes': String(disk.retentionBytes),
    'segment.bytes': String(disk.segmentBytes),
  }
  await new rooms.Admin(cluster).createTopics([
    { name: 'orders', partitions: orderPartitions, configs },
    rooms.newStatusTopic,
  ])

  const page = await onPort(options.consolePort, defaultConsolePort, (port) =>
    rooms.startConsole({
      runtime,
      logger,
      address: { host: '127.0.0.1', port },
      bootstrap: [inside],
      topics: () => broker.topics(),
      metrics,
      operations: {
        program: 'demo',
        build,
        clock: runtime.clock,
        startedMs: runtime.clock.nowMs(),
        metrics,
        health: broker.health,
        logLevel: logger,
      },
    }),
  )
  onStop(() => page.close())
  const job = await rooms.submitJob({
    runtime,
    logger,
    module: ownModule('./engine/jobs/orderDemographics.ts', import.meta.url),
    bootstrap: [inside],
    directory: join(directory, 'job'),
    batchIntervalMs,
  })
  rooms.exposeJob(metrics, () => job.figures())
  onStop(() => job.stop({ graceful: true }))
  const agentHost = await rooms.localHost(runtime.clock)
  const agent = await rooms.startAgent({
    ...{ runtime, logger, metrics },
    name: 'orders',
    host: agentHost,
    configuration: await readFile(new URL('./agent/orders.conf', import.meta.url), 'latin1'),
    systemProperties: {
      'demo.directory': directory,
      'demo.bootstrap': `${inside.host}:${inside.port}`,
    },
  })
  rooms.exposeAgent(metrics, () => agent)
  onStop(() => agent.stop())

  const positionFile = join(directory, 'agent/positions.json')
  const feed = new rooms.LineFeed({
    disk: runtime.disk,
    clock: runtime.clock,
    source,
    path: join(directory, 'orders.log'),
    ratePerSecond: options.rate ?? source.ratePerSecond,
    rotation: {
      fileBytes: disk.logFileBytes,
      positions: async () =>
        rooms.parsePositions(
          (await runtime.disk.readFile(positionFile)) ?? Buffer.alloc(0),
          positionFile,
        ),
    },
    backlog: new rooms.FeedBacklog({
      mostBytes: disk.uncountedBytes,
      recordOverheadBytes: rooms.recordOverheadBytes(agentHost.fullName),
      partitions: orderPartitions,
      countedLines: () => job.status().recordsTotal,
    }),
  })
  const startMs = runtime.clock.monotonicMs()
  const fed = feed.run()
  onStop(async () => {
    feed.stop()
    await fed
  })
  let hideTable = async () => {}
  if (!options.json) {
    const outside = broker.listeners[0]!.address.port
    process.stderr.write(
      `the page: ${page.url}\nKafka clients: 127.0.0.1:${outside}, topic orders\n`,
    )
    const title = `${page.url}  Kafka: 127.0.0.1:${outside}, topic orders`
    hideTable = showTable(page.board, runtime.clock, title, messages, rooms)
    onStop(hideTable)
  }

  const brokerFailed = broker.failed.then((error) => {
    throw error
  })
  const ends: Promise<unknown>[] = [interrupted, job.finished, agent.failed, brokerFailed]
  if (options.once) ends.push(fed.then((lines) => counted(job, lines)))
  const failure = await Promise.race([
    outputFailed,
    ...ends.map((end) => end.then(() => undefined)),
  ])
  if (failure === undefined) {
    const seconds = (runtime.clock.monotonicMs() - startMs) / 1000
    // The report is for the screen that stays.
    await hideTable()
    await report(options, rooms, job.status(), seconds)
  } else if (!isReaderGone(failure)) throw outputError(failure)
}

interface Source extends LineSource {
  readonly ratePerSecond: number
  close(): Promise<void>
}

/** The file, or orders without end. */
async function openSource(
  { input }: DemoOptions,
  { OrderLines, FileLines, looksLikeOrders, orderColumns }: Rooms,
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
  if (stat === undefined) throw new CommandError(`${input}: there is no such file`)
  if (stat.isDirectory) throw new CommandError(`${input} is a folder: give a file of lines`)
  const file = await FileLines.open(disk, input)
  const beginning = await file.beginning()
  if (beginning !== '' && !looksLikeOrders(beginning)) {
    process.stderr.write(
      `millrace: ${input} does not look like orders, so none may be counted: its first lines are not ` +
        `${orderColumns.join(',')} with an action_type of 0 to 3, each ended by a line feed alone\n`,
    )
  }
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

/** Shows the board on standard output until the function that it returns is called. */
function showTable(
  board: Board,
  clock: Clock,
  title: string,
  messages: HeldMessages,
  { showOnTerminal }: Rooms,
): () => Promise<void> {
  const output = process.stdout
  const isScreen = output.isTTY === true && process.env.TERM !== 'dumb'
  const color = isScreen && output.hasColors()
  if (isScreen && process.stderr.isTTY) messages.hold()
  const shown = showOnTerminal({ board, clock, output, isScreen, title, color })
  const close = () => {
    shown.close()
    messages.release()
  }
  // A process that ends in any other way must not leave the terminal without its screen.
  process.once('exit', close)
  process.once('uncaughtExceptionMonitor', close)
  return async () => close()
}

/** What came out: one JSON object, or a table for people. */
async function report(
  { json }: DemoOptions,
  { table }: Rooms,
  status: JobStatus,
  seconds: number,
): Promise<void> {
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
    await print(`${JSON.stringify(result)}\n`)
    return
  }
  const bars = status.views.filter(({ chart }) => chart === 'bar')
  await print(
    [
      '',
      `${lines} lines, ${orders} of them purchases, ${result.seconds} s, ${result.lines_per_second} lines/s`,
      ...bars.flatMap((view) => ['', ...table(view)]),
      '',
    ].join('\n'),
  )
}

/** Resolves once standard output has taken the text. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error || isReaderGone(error)) resolve()
      else reject(outputError(error))
    })
  })
}

function outputError(error: NodeJS.ErrnoException): CommandError {
  const reason = error.message.replace(/^[A-Z]+: |, write$/g, '')
  return new CommandError(`standard output cannot be written: ${reason}`)
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
}
