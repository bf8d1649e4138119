// `millrace broker`: the edge between the command line and startBroker. Reads the configuration,
// starts, says so in one line, stops at a signal. Every mistake of the user ends in one clear line
// and exit code 1.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type Logger, type LogLevel, pinoLogger } from '../protocol/telemetry/logger.ts'
import { type Broker, type BrokerListener, startBroker } from './broker.ts'
import {
  type BrokerConfig,
  brokerConfig,
  dataDirectories,
  parseBrokerConfig,
} from './configuration.ts'
import { BrokerError } from './errors.ts'
import { parseListeners } from './server/listenerAddress.ts'

export interface BrokerArguments {
  readonly port?: number | undefined
  readonly host?: string | undefined
  /** The only data folder; wins over `log.dirs` and `log.dir`, as the other arguments win over the file. */
  readonly data?: string | undefined
  /** A file in the format of Kafka's server.properties. */
  readonly config?: string | undefined
  readonly logLevel?: LogLevel | undefined
}

/**
 * Runs a broker until SIGINT, SIGTERM or the failure of its disks. Sets the exit code; never throws for
 * what a user did.
 */
export async function brokerCommand(args: BrokerArguments): Promise<void> {
  let broker: Broker
  let config: BrokerConfig
  const logger = pinoLogger(args.logLevel ?? 'warn')
  try {
    config = await readConfig(args, logger)
    const runtime = nodeRuntime(tcpNetwork)
    const listeners = listenersOf(config)
    broker = await sparingMemory(() => startBroker({ runtime, logger, config, listeners }))
  } catch (error) {
    if (!isOperational(error)) throw error
    fail(error)
    return
  }
  const stopped = stopSignal()
  const addresses = broker.listeners.map(({ address }) => textOf(address)).join(', ')
  process.stdout.write(`millrace broker listening on ${addresses}, data in ${config['log.dirs']}\n`)
  const failure = await Promise.race([stopped, broker.failed])
  if (failure) fail(failure)
  try {
    await broker.close()
  } catch (error) {
    if (!isOperational(error)) throw error
    // What cannot be saved on a disk that has failed was already reported. On one that is full, the next start
    // has to look at what could not be noted now; nothing is lost.
    if (!failure) fail(error)
  }
}

function fail({ message }: Error): void {
  process.stderr.write(`millrace broker: ${message}\n`)
  process.exitCode = 1
}

/**
 * Nearly all that a start makes stays. V8 takes that for a reason to give new objects twice the room, again
 * and again, and keeps it: with 10,000 partitions more than their logs take.
 */
async function sparingMemory<Result>(start: () => Promise<Result>): Promise<Result> {
  setFlagsFromString('--semi-space-growth-factor=1')
  try {
    return await start()
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2')
  }
}

async function readConfig(args: BrokerArguments, logger: Logger): Promise<BrokerConfig> {
  const file = args.config
  const values = file === undefined ? {} : await readConfigFile(file, logger)
  const config = brokerConfig(values)
  const listeners =
    args.port === undefined && args.host === undefined
      ? config.listeners
      : `PLAINTEXT://${bracketed(args.host ?? '127.0.0.1')}:${args.port ?? 9092}`
  const directories = args.data === undefined ? dataDirectories(config) : [args.data]
  return { ...config, listeners, 'log.dirs': directories.map((path) => resolve(path)).join(',') }
}

async function readConfigFile(file: string, logger: Logger): Promise<Partial<BrokerConfig>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be read'
    throw new BrokerError('CONFIGURATION_MISSING', `the config file ${file} ${reason}`, error)
  }
  const { values, unknown } = parseBrokerConfig(text, file)
  for (const { key, line, reason } of unknown) {
    if (reason === undefined) {
      logger.warn({ file, line, key }, 'an option that is not known here is left alone')
    } else {
      logger.info({ file, line, key, reason }, 'an option of Kafka has no effect here')
    }
  }
  return values
}

function listenersOf(config: BrokerConfig): BrokerListener[] {
  const advertised = new Map(
    parseListeners(config['advertised.listeners'], 'advertised.listeners').map(
      ({ name, address }) => [name, address],
    ),
  )
  const listeners = parseListeners(config.listeners, 'listeners')
  if (listeners.length === 0) {
    throw new BrokerError('CONFIGURATION_INVALID', 'listeners: at least one is needed')
  }
  return listeners.map(({ name, address }) => {
    const told = advertised.get(name)
    const listener = { name, network: tcpNetwork, address }
    return told ? { ...listener, advertised: told } : listener
  })
}

/** Resolves at the first signal. A second one ends the process at once, as the shell's user means it. */
function stopSignal(): Promise<void> {
  return new Promise((stop) => {
    const signals = ['SIGINT', 'SIGTERM'] as const
    const onSignal = () => {
      for (const signal of signals) process.removeListener(signal, onSignal)
      stop()
    }
    for (const signal of signals) process.on(signal, onSignal)
  })
}

function textOf({ host, port }: Address): string {
  return `${bracketed(host)}:${port}`
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
