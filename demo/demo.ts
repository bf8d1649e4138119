// `millrace demo`: the whole pipeline in one process. Orders are written to a file, tailed by an
// agent, stored by a broker, counted by a job and shown on the console. Only this folder and
// millrace.ts may import from every room. Loaded only when the command is given, because its
// imports are expensive.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '../agent/agent.ts'
import { type HostIdentity, localHost } from '../agent/hostIdentity.ts'
import { exposeAgent } from '../agent/monitoring/agentMetrics.ts'
import { parsePositions } from '../agent/sources/taildir/positionFile.ts'
import type { Board } from '../broker/admin/board/board.ts'
import { type ServedConsole, startConsole } from '../broker/admin/console.ts'
import { HeldMessages, showOnTerminal } from '../broker/admin/terminal/terminalScreen.ts'
import { type Broker, startBroker } from '../broker/broker.ts'
import { ClosingSteps } from '../broker/closingSteps.ts'
import { brokerConfig } from '../broker/configuration/brokerOptions.ts'
import { FeedBacklog, recordOverheadBytes } from '../engine/jobs/feedBacklog.ts'
import { LineFeed } from '../engine/jobs/lineFeed.ts'
import type { RunningJob } from '../engine/lifecycle/runningJob.ts'
import { submitJob } from '../engine/lifecycle/submit.ts'
import { exposeJob } from '../engine/metrics/jobMetrics.ts'
import { Admin } from '../protocol/client/admin.ts'
import { Cluster } from '../protocol/client/cluster/cluster.ts'
import { CommandError } from '../protocol/commandLine/commandError.ts'
import { requireLogFile } from '../protocol/commandLine/loggingOptions.ts'
import { onUsualPort } from '../protocol/commandLine/usualPort.ts'
import { makeTemporaryDirectory } from '../protocol/runtime/disk/temporaryDirectory.ts'
import { memoryNetwork } from '../protocol/runtime/network/memoryNetwork.ts'
import type { Network } from '../protocol/runtime/network/network.ts'
import { routedNetwork } from '../protocol/runtime/network/networks.ts'
import { tcpNetwork } from '../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { ownModule } from '../protocol/runtime/process/ownModule.ts'
import { processFigures } from '../protocol/runtime/process/processFigures.ts'
import { isReaderGone, type OutputFailed } from '../protocol/runtime/process/standardStreams.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { Clock } from '../protocol/runtime/time/clock.ts'
import { type AdjustableLogger, pinoLogger } from '../protocol/telemetry/logging/logger.ts'
import type { LogLevel } from '../protocol/telemetry/logging/logLevel.ts'
import { exposeLostLines } from '../protocol/telemetry/logging/logLines.ts'
import { type LoggingOptions, openLog } from '../protocol/telemetry/logging/programLog.ts'
import type { BuildInfo } from '../protocol/telemetry/metrics/buildInfo.ts'
import { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import { exposeProcess } from '../protocol/telemetry/metrics/processMetrics.ts'
import type { JobStatus } from '../protocol/telemetry/status/status.ts'
import { newStatusTopic } from '../protocol/telemetry/status/statusTopic.ts'
import { type DiskShares, defaultDiskMebibytes, diskShares } from './diskShares.ts'
import { type InputLines, openInput } from './inputLines.ts'
import { outputError, report } from './report.ts'

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
  /** Resolves at the first stop signal. */
  readonly interrupted: Promise<void>
  readonly build: BuildInfo
}

const defaultPort = 9092
const defaultConsolePort = 8080
const batchIntervalMs = 500
/** Partitions of the topic of orders. */
const orderPartitions = 2
const retentionCheckMs = 1_000
/** The in-memory address of the broker, for agent, job and console of this process. */
const inside = { host: 'millrace.inside', port: 9092 }

/** Runs the pipeline in this process; stops its parts in reverse order of their start. */
export async function demo(options: DemoOptions, dependencies: DemoDependencies): Promise<void> {
  if (options.once && options.input === undefined) {
    throw new CommandError('--once requires --input FILE: generated orders have no end')
  }
  requireLogFile(options)
  const closing = new ClosingSteps()
  try {
    await runDemo(options, dependencies, closing)
  } finally {
    await closing.run()
  }
}

/** What the parts of the demo share. */
interface Environment {
  readonly options: DemoOptions
  readonly runtime: Runtime
  /** The network inside this process. */
  readonly memory: Network
  readonly logger: AdjustableLogger
  readonly metrics: Metrics
  readonly build: BuildInfo
  readonly disk: DiskShares
  /** The directory of all data of the demo. */
  readonly directory: string
  readonly closing: ClosingSteps
}

async function runDemo(
  options: DemoOptions,
  { outputFailed, interrupted, build }: DemoDependencies,
  closing: ClosingSteps,
): Promise<void> {
  // Agent, job and console connect to the broker in memory, other Kafka clients over TCP.
  const memory = memoryNetwork()
  const runtime = nodeRuntime(
    routedNetwork(({ host }) => (host === inside.host ? memory : tcpNetwork)),
  )
  const { lines, destination } = await openLog(options, 'error')
  // The table on the terminal would overwrite log lines on standard error, so they are held back.
  const messages = new HeldMessages(destination)
  const logger = pinoLogger(
    options.logLevel,
    options.logFile === undefined ? messages : destination,
  )
  const source = await openInput(options.input, runtime)
  closing.add(() => source.close())
  const directory = await openDirectory(runtime, logger, closing)
  const metrics = new Metrics()
  exposeLostLines(metrics, lines)
  exposeProcess(metrics, { program: 'demo', build, figures: processFigures() })
  const disk = diskShares(options.disk ?? defaultDiskMebibytes)
  const environment: Environment = {
    ...{ options, runtime, memory, logger, metrics, build, disk, directory, closing },
  }

  const broker = await startOrdersBroker(environment)
  const page = await startPage(environment, broker)
  const job = await startOrdersJob(environment)
  const { agent, host } = await startOrdersAgent(environment)
  const startMs = runtime.clock.monotonicMs()
  const fed = startFeed(environment, source, host, job)
  const hideTable = options.json ? async () => {} : showPlaces(environment, broker, page, messages)
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
    // The report comes after the table, which clears its screen when it is hidden.
    await hideTable()
    await report(job.status(), seconds, options.json === true)
  } else if (!isReaderGone(failure)) throw outputError(failure)
}

async function openDirectory(
  runtime: Runtime,
  logger: AdjustableLogger,
  closing: ClosingSteps,
): Promise<string> {
  const temporary = await makeTemporaryDirectory('millrace-demo-', runtime)
  closing.add(() => temporary.remove())
  for (const path of temporary.removed) {
    logger.info({ path }, 'removed the directory of a demo that was killed')
  }
  return temporary.path
}

/** Starts the broker, with the topics of the demo. */
async function startOrdersBroker(environment: Environment): Promise<Broker> {
  const { options, runtime, memory, logger, metrics, disk, directory, closing } = environment
  const broker = await onUsualPort(options.port, defaultPort, (port) =>
    startBroker({
      runtime,
      logger,
      metrics,
      config: brokerConfig({
        'log.dir': join(directory, 'broker'),
        'flush.journal.file.bytes': disk.journalFileBytes,
        'log.retention.check.interval.ms': retentionCheckMs,
        'log.initial.task.delay.ms': retentionCheckMs,
        'log.segment.delete.delay.ms': 0,
      }),
      listeners: [
        { name: 'INSIDE', network: memory, address: inside, isInProcess: true },
        { name: 'PLAINTEXT', network: tcpNetwork, address: { host: '127.0.0.1', port } },
      ],
    }),
  )
  closing.add(() => broker.close())
  const cluster = new Cluster(runtime, { bootstrap: [inside], clientId: 'millrace-demo' })
  closing.add(() => cluster.close())
  const configs = {
    'retention.bytes': String(disk.retentionBytes),
    'segment.bytes': String(disk.segmentBytes),
  }
  await new Admin(cluster).createTopics([
    { name: 'orders', partitions: orderPartitions, configs },
    newStatusTopic,
  ])
  return broker
}

async function startPage(
  { options, runtime, logger, metrics, build, closing }: Environment,
  broker: Broker,
): Promise<ServedConsole> {
  const page = await onUsualPort(options.consolePort, defaultConsolePort, (port) =>
    startConsole({
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
  closing.add(() => page.close())
  return page
}

async function startOrdersJob({
  runtime,
  logger,
  metrics,
  directory,
  closing,
}: Environment): Promise<RunningJob> {
  const job = await submitJob({
    runtime,
    logger,
    module: ownModule('../engine/jobs/orderDemographics.ts', import.meta.url),
    bootstrap: [inside],
    directory: join(directory, 'job'),
    batchIntervalMs,
  })
  exposeJob(metrics, () => job.figures())
  closing.add(() => job.stop({ graceful: true }))
  return job
}

async function startOrdersAgent({ runtime, logger, metrics, directory, closing }: Environment) {
  const host = await localHost(runtime.clock)
  const agent = await startAgent({
    ...{ runtime, logger, metrics, host },
    name: 'orders',
    configuration: await readFile(new URL('../agent/orders.conf', import.meta.url), 'latin1'),
    systemProperties: {
      'demo.directory': directory,
      'demo.bootstrap': `${inside.host}:${inside.port}`,
    },
  })
  exposeAgent(metrics, () => agent)
  closing.add(() => agent.stop())
  return { agent, host }
}

/** Feeds the file that the agent tails. Resolves with the number of lines when the input ends. */
function startFeed(
  { options, runtime, disk, directory, closing }: Environment,
  source: InputLines,
  host: HostIdentity,
  job: RunningJob,
): Promise<number> {
  const positionFile = join(directory, 'agent/positions.json')
  const feed = new LineFeed({
    disk: runtime.disk,
    clock: runtime.clock,
    source,
    path: join(directory, 'orders.log'),
    ratePerSecond: options.rate ?? source.ratePerSecond,
    rotation: {
      fileBytes: disk.logFileBytes,
      positions: async () =>
        parsePositions(
          (await runtime.disk.readFile(positionFile)) ?? Buffer.alloc(0),
          positionFile,
        ),
    },
    backlog: new FeedBacklog({
      mostBytes: disk.uncountedBytes,
      recordOverheadBytes: recordOverheadBytes(host.fullName),
      partitions: orderPartitions,
      countedLines: () => job.status().recordsTotal,
    }),
  })
  const fed = feed.run()
  closing.add(async () => {
    feed.stop()
    await fed
  })
  return fed
}

/** Prints where the console and the broker are, and shows the table; returns how to hide it. */
function showPlaces(
  { runtime, closing }: Environment,
  broker: Broker,
  page: ServedConsole,
  messages: HeldMessages,
): () => Promise<void> {
  const outside = broker.listeners[0]!.address.port
  process.stderr.write(`console: ${page.url}\nKafka clients: 127.0.0.1:${outside}, topic orders\n`)
  const title = `${page.url}  Kafka: 127.0.0.1:${outside}, topic orders`
  const hideTable = showTable(page.board, runtime.clock, title, messages)
  closing.add(hideTable)
  return hideTable
}

/** Resolves when the committed batches of the job contain at least `lines` records. */
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

/** Shows the board on standard output. Returns a function that hides it. */
function showTable(
  board: Board,
  clock: Clock,
  title: string,
  messages: HeldMessages,
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
  // The screen of the terminal must be restored however the process ends.
  process.once('exit', close)
  process.once('uncaughtExceptionMonitor', close)
  return async () => close()
}
