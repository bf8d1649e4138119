// `millrace agent`, with the arguments of `flume-ng agent`: the edge between the command line and
// startAgent. Starts, says so in one line, stops at a signal. Every mistake of the user ends in one
// clear line on standard error and exit code 1.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import type { Address } from '../protocol/runtime/network.ts'
import { nodeRuntime } from '../protocol/runtime/nodeRuntime.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import { tcpNetwork } from '../protocol/runtime/tcpNetwork.ts'
import { type LogLevel, logLevels, pinoLogger } from '../protocol/telemetry/logger.ts'
import { type Agent, type ConfigurationFile, startAgent } from './agent.ts'
import { AgentError } from './errors.ts'

/** What the command touches of its process; the real one unless given. */
export interface CommandSurroundings {
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Resolves when the agent is to stop. */
  readonly stopRequested: () => Promise<void>
}

interface AgentArguments {
  readonly name: string
  readonly files: readonly string[]
  /** Where a file is looked for that is not found as it is. */
  readonly confDirectory: string | undefined
  readonly systemProperties: Readonly<Record<string, string>>
  readonly logLevel: LogLevel
}

/** `args` are those after `agent`. Returns the exit code; throws only for what is a bug. */
export async function agentCommand(
  args: readonly string[],
  surroundings: CommandSurroundings = thisProcess,
): Promise<number> {
  try {
    const parsed = parseArguments(args, surroundings)
    if (parsed === 'help') return 0
    return await run(parsed, surroundings)
  } catch (error) {
    if (!isOperational(error)) throw error
    surroundings.stderr(`millrace agent: ${error.message.replaceAll('\n', ' ')}\n`)
    return 1
  }
}

/** Exported for tests: what the arguments say. */
export function parseArguments(
  args: readonly string[],
  { stdout }: Pick<CommandSurroundings, 'stdout'>,
): AgentArguments | 'help' {
  const { properties, rest } = takeSystemProperties(args)
  const command = new Command('millrace agent')
    .description("runs an agent of a flume.conf; takes the arguments of 'flume-ng agent'")
    .option('-n, --name <name>', "the agent's name in the configuration")
    .option('-f, --conf-file <file>', 'a flume.conf; several are merged', collect, [])
    .option(
      '-c, --conf <directory>',
      'where a --conf-file is looked for when it is not found as it is',
    )
    .option('--no-reload-conf', 'accepted: the configuration is read once')
    .option('--log-level <level>', `one of ${logLevels.join(', ')}`, 'info')
    .addHelpText(
      'after',
      '\n-Dkey=value sets what sys:key stands for in the file; -Dflume.monitoring.type=http\nand -Dflume.monitoring.port=N serve the metrics page on 127.0.0.1.',
    )
    .configureOutput({ writeOut: stdout, writeErr: () => {} })
    .exitOverride()
  try {
    command.parse(rest, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return 'help'
    throw new AgentError('CONFIGURATION', error.message.replace(/^error: /, ''), error)
  }
  const options = command.opts<{
    name?: string
    confFile: string[]
    conf?: string
    logLevel: string
  }>()
  if (options.name === undefined) throw missing('--name NAME', 'which agent of the file to run')
  if (options.confFile.length === 0) throw missing('--conf-file FILE', 'a flume.conf')
  const logLevel = logLevels.find((level) => level === options.logLevel)
  if (logLevel === undefined) {
    throw new AgentError('CONFIGURATION', `--log-level is one of ${logLevels.join(', ')}`)
  }
  const { name, confFile: files, conf } = options
  return { name, files, confDirectory: conf, systemProperties: properties, logLevel }
}

async function run(args: AgentArguments, surroundings: CommandSurroundings): Promise<number> {
  const { name, systemProperties, logLevel } = args
  const configuration = await readFiles(args)
  const monitoring = monitoringAddress(systemProperties)
  const logger = pinoLogger(logLevel)
  const agent = await startAgent({
    runtime: nodeRuntime(tcpNetwork),
    logger,
    name,
    configuration,
    systemProperties,
    environment: surroundings.environment,
    ...(monitoring && { monitoring }),
  })
  surroundings.stdout(`millrace agent ${name} started${pageText(agent)}\n`)
  try {
    await Promise.race([surroundings.stopRequested(), agent.failed])
  } finally {
    logger.info({ agent: name }, 'agent stopping')
    await agent.stop()
    logger.info({ agent: name }, 'agent stopped')
  }
  return 0
}

async function readFiles({ files, confDirectory }: AgentArguments): Promise<ConfigurationFile[]> {
  const read: ConfigurationFile[] = []
  for (const path of files) {
    let text = await readIfThere(path)
    if (text === undefined && confDirectory) text = await readIfThere(join(confDirectory, path))
    if (text === undefined || text === '') {
      const reason = text === '' ? 'is empty' : 'does not exist'
      throw new AgentError(
        'CONFIGURATION',
        `${path} ${reason}: give the path of a flume.conf with --conf-file`,
      )
    }
    read.push({ path, text })
  }
  return read
}

/** Java reads properties as ISO-8859-1. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new AgentError(
      'CONFIGURATION',
      `${path} cannot be read: ${(error as Error).message}`,
      error,
    )
  }
}

/** Takes `-Dkey=value` out of the arguments. */
function takeSystemProperties(args: readonly string[]): {
  properties: Record<string, string>
  rest: string[]
} {
  const properties: Record<string, string> = {}
  const rest: string[] = []
  for (const arg of args) {
    const match = /^-D([^=]+)=(.*)$/s.exec(arg)
    if (match) properties[match[1]!] = match[2]!
    else rest.push(arg)
  }
  return { properties, rest }
}

function monitoringAddress(properties: Readonly<Record<string, string>>): Address | undefined {
  const type = properties['flume.monitoring.type']
  if (type === undefined) return undefined
  if (type.toLowerCase() !== 'http') {
    throw new AgentError(
      'CONFIGURATION',
      `flume.monitoring.type '${type}' is not supported: use http`,
    )
  }
  const text = properties['flume.monitoring.port'] ?? '41414'
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) {
    throw new AgentError('CONFIGURATION', `flume.monitoring.port '${text}' is not a port`)
  }
  return { host: '127.0.0.1', port }
}

function pageText({ monitoring }: Agent): string {
  return monitoring === undefined
    ? ''
    : `, metrics on http://${monitoring.host}:${monitoring.port}/metrics`
}

function missing(option: string, meaning: string): AgentError {
  return new AgentError('CONFIGURATION', `${option} is missing: ${meaning}`)
}

function collect(value: string, all: readonly string[]): string[] {
  return [...all, value]
}

const thisProcess: CommandSurroundings = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  environment: process.env,
  stopRequested: () =>
    new Promise((resolve) => {
      process.once('SIGINT', resolve)
      process.once('SIGTERM', resolve)
    }),
}
