// `millrace broker`: the edge between the command line and startBroker. Reads the configuration,
// starts the broker, prints one line, stops at a signal. A mistake of the user is reported in one
// line on standard error, with exit code 1.

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { requireLogFile } from '../protocol/commandLine/loggingOptions.ts'
import { firstStopSignal } from '../protocol/commandLine/stopSignals.ts'
import { isLoopback } from '../protocol/runtime/network/loopback.ts'
import { memoryNetwork } from '../protocol/runtime/network/memoryNetwork.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { routedNetwork } from '../protocol/runtime/network/networks.ts'
import { tcpNetwork } from '../protocol/runtime/network/tcpNetwork.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { processDataLocation } from '../protocol/runtime/process/processDataLocation.ts'
import { processFigures } from '../protocol/runtime/process/processFigures.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import { exposeLostLines } from '../protocol/telemetry/logging/logLines.ts'
import { type LoggingOptions, openLog } from '../protocol/telemetry/logging/programLog.ts'
import type { BuildInfo } from '../protocol/telemetry/metrics/buildInfo.ts'
import { Metrics } from '../protocol/telemetry/metrics/metrics.ts'
import { exposeProcess } from '../protocol/telemetry/metrics/processMetrics.ts'
import { type Broker, startBroker } from './broker.ts'
import { BrokerHttp } from './brokerHttp.ts'
import { type BrokerConfig, brokerConfig, dataDirectories } from './configuration/brokerOptions.ts'
import { parseBrokerConfig, type UnusedOption } from './configuration/configurationFile.ts'
import { addressText, hostText } from './configuration/listenerAddress.ts'
import { type ListenerPlan, planListeners } from './configuration/listeners.ts'
import { BrokerError } from './errors.ts'
import { giveHeapRoom } from './heapRoom.ts'
import { type HttpArguments, type HttpPlan, planHttp } from './httpPlan.ts'

export interface BrokerArguments extends HttpArguments, LoggingOptions {
  readonly port?: number | undefined
  readonly host?: string | undefined
  /**
   * The only data directory; takes precedence over `log.dirs` and `log.dir`, as all arguments do
   * over the file.
   */
  readonly data?: string | undefined
  /** A file in the format of Kafka's server.properties. */
  readonly config?: string | undefined
  readonly build: BuildInfo
}

/**
 * Runs a broker until SIGINT, SIGTERM or a failure of its disks. Sets the exit code; throws only in
 * case of a bug.
 */
export async function brokerCommand(args: BrokerArguments): Promise<void> {
  // Set before the start: a broker that is stopped during its start closes its logs cleanly, too.
  let isStarting = true
  const stopped = firstStopSignal(() => {
    if (isStarting) process.stderr.write(`${stopsLater}\n`)
  })
  let started: StartedBroker
  try {
    started = await start(args)
  } catch (error) {
    if (!isOperational(error)) throw error
    fail(error)
    return
  }
  isStarting = false
  const { broker, http } = started
  process.stdout.write(`${startedLine(started)}\n`)
  const failure = await Promise.race([stopped, broker.failed])
  if (failure) fail(failure)
  try {
    await http.leave()
    await broker.close()
  } catch (error) {
    if (!isOperational(error)) throw error
    // The failure of a disk was already reported. On a full disk, the next start recovers what
    // could not be checkpointed now; nothing is lost.
    if (!failure) fail(error)
  }
  await http.close()
}

interface StartedBroker {
  readonly broker: Broker
  readonly http: BrokerHttp
  readonly config: BrokerConfig
}

/**
 * Address of the broker for the console in the same process, independent of the configured
 * listeners.
 */
const inside: Address = { host: 'millrace.inside', port: 9092 }
/** A name that no configured listener can have. */
const insideName = 'in-process'

async function start(args: BrokerArguments): Promise<StartedBroker> {
  const startedMs = Date.now()
  const read = await readConfig(args)
  const { config } = read
  requireLogFile(args)
  const { logger, lines } = await openLog(args, config['log.level'])
  const { version } = args.build
  const settings = changedSettings(config)
  logger.info({ version, node: process.versions.node, settings }, 'millrace broker')
  logUnused(read, logger)
  if (read.formerData !== undefined) {
    logger.info(
      { directory: read.formerData },
      'using the data directory of an earlier version; --data selects another one',
    )
  }
  const listenerPlan = planListeners(config, tcpNetwork, hostname())
  const addresses = listenerPlan.listeners.map(({ address }) => address)
  const plan = planHttp(args, config, read.given, addresses)
  logListeners(listenerPlan, logger)
  logOpenMetrics(plan, logger)
  const memory = memoryNetwork()
  const network = routedNetwork(({ host }) => (host === inside.host ? memory : tcpNetwork))
  const runtime = nodeRuntime(network)
  const metrics = new Metrics()
  exposeLostLines(metrics, lines)
  const listeners = [
    ...listenerPlan.listeners,
    { name: insideName, network: memory, address: inside, isInProcess: true },
  ]
  const { build } = args
  exposeProcess(metrics, { program: 'broker', build, figures: processFigures() })
  const http = await BrokerHttp.start({
    ...{ runtime, logger, plan, inside, metrics },
    operations: {
      ...{ program: 'broker', build, clock: runtime.clock, startedMs, metrics },
      logLevel: logger,
    },
  })
  try {
    const options = { runtime, logger, logLevel: logger, metrics, config, listeners }
    const broker = await sparingMemory(() => startBroker(options))
    giveHeapRoom()
    http.serves(broker)
    return { broker, http, config }
  } catch (error) {
    await http.close()
    throw error
  }
}

function startedLine({ broker, http, config }: StartedBroker): string {
  const addresses = broker.listeners.map(({ address }) => addressText(address)).join(', ')
  const { consoleUrl, metricsUrl } = http
  return [
    `millrace broker listening on ${addresses}`,
    `data in ${config['log.dirs']}`,
    ...(consoleUrl === undefined ? [] : [`console at ${consoleUrl}`]),
    ...(metricsUrl === undefined ? [] : [`metrics at ${metricsUrl}`]),
  ].join(', ')
}

function fail({ message }: Error): void {
  process.stderr.write(`millrace broker: ${message}\n`)
  process.exitCode = 1
}

/**
 * Limits the young generation during `start`. Nearly all objects of a start survive, so V8 doubles
 * the young generation repeatedly and keeps it: with 10,000 partitions it exceeds the memory of
 * their logs.
 */
async function sparingMemory<Result>(start: () => Promise<Result>): Promise<Result> {
  setFlagsFromString('--semi-space-growth-factor=1')
  try {
    return await start()
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2')
  }
}

interface ReadConfiguration {
  readonly config: BrokerConfig
  /** Keys of the file. */
  readonly given: ReadonlySet<string>
  /** The file, and its options without effect. */
  readonly file: string | undefined
  readonly unused: readonly UnusedOption[]
  /**
   * Data directory of an earlier version in the current directory, used if no other one is given.
   */
  readonly formerData: string | undefined
}

const defaultData = { path: 'broker', pathInState: '', formerPath: 'millrace-data' }

async function readConfig(args: BrokerArguments): Promise<ReadConfiguration> {
  const file = args.config
  const { values, unused } =
    file === undefined ? { values: {}, unused: [] } : await readConfigFile(file)
  const config = withListener(args, brokerConfig(values))
  const named = args.data === undefined ? dataDirectories(config) : [args.data]
  const standard = named.length > 0 ? undefined : processDataLocation(defaultData)
  const directories = standard === undefined ? named : [standard.directory]
  const paths = directories.map((path) => resolve(path)).join(',')
  const former = standard?.isFormer ? standard.directory : undefined
  const keys = new Set(Object.keys(values))
  return { config: { ...config, 'log.dirs': paths }, given: keys, file, unused, formerData: former }
}

/** `--host` and `--port` configure one listener, which replaces those of the file. */
function withListener({ host, port }: BrokerArguments, config: BrokerConfig): BrokerConfig {
  if (port === undefined && host === undefined) return config
  const name = 'PLAINTEXT'
  const advertised = config['advertised.listeners'].split(',').map((entry) => entry.trim())
  return {
    ...config,
    listeners: `${name}://${hostText(host ?? '127.0.0.1')}:${port ?? 9092}`,
    'advertised.listeners': advertised.filter((entry) => entry.startsWith(`${name}://`)).join(','),
    'listener.security.protocol.map': `${name}:PLAINTEXT`,
  }
}

async function readConfigFile(file: string): Promise<ReturnType<typeof parseBrokerConfig>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
    throw new BrokerError('CONFIGURATION_MISSING', `the config file ${file} ${reason}`, error)
  }
  return parseBrokerConfig(text, file)
}

/** Returns the options whose values differ from their defaults. */
function changedSettings(config: BrokerConfig): Record<string, unknown> {
  const defaults: Readonly<Record<string, unknown>> = brokerConfig({})
  return Object.fromEntries(
    Object.entries(config).filter(([key, value]) => value !== defaults[key]),
  )
}

/** One line for all Kafka options without effect, so that a mistyped key is not lost among them. */
function logUnused({ file, unused }: ReadConfiguration, logger: Logger): void {
  const known = unused.flatMap(({ key, reason }) => (reason === undefined ? [] : [[key, reason]]))
  if (known.length > 0) {
    logger.info(
      { file, options: Object.fromEntries(known) },
      'Kafka options have no effect in Millrace',
    )
  }
  for (const { key, line, reason, suggestion } of unused) {
    if (reason !== undefined) continue
    const meant = suggestion === undefined ? '' : `: did you mean ${suggestion}?`
    logger.warn({ file, line, key }, `unknown option is ignored${meant}`)
  }
}

function logListeners({ listeners, open, unserved }: ListenerPlan, logger: Logger): void {
  for (const listener of unserved) {
    logger.info(
      { listener },
      'controller listener is not opened: the controller runs in this process',
    )
  }
  for (const { name, address } of listeners) {
    if (!open.includes(name)) continue
    logger.warn(
      { listener: name, address: addressText(address) },
      'listener is open to other hosts without authentication: any client that reaches it can read, write and delete everything',
    )
  }
}

function logOpenMetrics({ metrics }: HttpPlan, logger: Logger): void {
  if (metrics === undefined || isLoopback(metrics.host)) return
  logger.warn(
    { address: addressText(metrics) },
    'metrics, health and version are open to other hosts: any client that reaches the address can read the names of topics and groups, but change nothing',
  )
}

const stopsLater =
  'millrace broker: stopping as soon as the logs are open and can be closed cleanly; a second signal ends ' +
  'the process immediately, and the next start recovers the logs'
