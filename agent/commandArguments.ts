// The arguments of `millrace agent`: those of `flume-ng agent`, with one dash or two. An argument
// that has an effect in Flume but none here is refused or named in `warnings`, never ignored
// silently.

import { Command, CommanderError } from 'commander'
import {
  addOptions,
  type CommandOption,
  longNames,
} from '../protocol/commandLine/commandOptions.ts'
import { coordinationOption } from '../protocol/commandLine/coordination/coordinationOption.ts'
import {
  loggingOf,
  logLevelOption,
  logOutputOptions,
  requireLogFile,
} from '../protocol/commandLine/loggingOptions.ts'
import { parseHostPort } from '../protocol/configuration/hostPort.ts'
import { isLoopback } from '../protocol/runtime/network/loopback.ts'
import type { Address } from '../protocol/runtime/network/network.ts'
import { type LogLevel, logLevels } from '../protocol/telemetry/logging/logLevel.ts'
import type { LoggingOptions } from '../protocol/telemetry/logging/programLog.ts'
import { AgentError } from './errors.ts'

export interface AgentArguments {
  readonly name: string
  readonly files: readonly string[]
  /** Directory searched for a file that does not exist at the path given. */
  readonly confDirectory: string | undefined
  readonly systemProperties: Readonly<Record<string, string>>
  readonly logging: LoggingOptions
  /** Address of metrics and health. */
  readonly listen: Address
  /** Whether `listen` may be an address that other hosts can reach. */
  readonly isInsecure: boolean
  /** File with the options of the coordination in which the agent registers. */
  readonly coordination: string | undefined
  /** Undefined: the configuration is read once. */
  readonly reloadIntervalMs: number | undefined
  /** Whether to check the configuration only. */
  readonly isDryRun: boolean
  readonly warnings: readonly string[]
}

interface ParsedOptions extends LoggingOptions {
  readonly name?: string
  readonly confFile: readonly string[]
  readonly confUri: readonly string[]
  readonly conf?: string
  readonly reloadConf: boolean
  readonly pollInterval: string
  readonly zkConnString?: string
  readonly zkBasePath?: string
  readonly backupDirectory?: string
  readonly classpath?: string
  readonly pluginsPath?: string
  readonly dryrun?: true
  readonly listen: string
  readonly insecure?: true
  readonly coordination?: string
}

/** Returns 'help' when the help was requested, after printing it. */
export function parseArguments(
  args: readonly string[],
  { stdout }: { readonly stdout: (text: string) => void },
): AgentArguments | 'help' {
  const { properties, javaOptions, rest } = withoutJavaArguments(args)
  const command = commandOf(stdout)
  try {
    command.parse(rest.map(withTwoDashes), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.code === 'commander.helpDisplayed') return 'help'
    throw mistake(error.message.replace(/^error: /, ''), error)
  }
  const options = command.opts<ParsedOptions>()
  if (options.zkConnString !== undefined || options.zkBasePath !== undefined) {
    throw mistake(
      'a configuration in ZooKeeper is not supported: save it to a file and pass that with --conf-file',
    )
  }
  const { name, conf } = options
  const files = [...options.confFile, ...options.confUri.map(pathOfUri)]
  if (name === undefined) throw missing('--name NAME', 'the agent of the configuration to run')
  if (files.length === 0) throw missing('--conf-file FILE', 'a flume.conf')
  return {
    name,
    files,
    confDirectory: conf,
    systemProperties: properties,
    logging: loggingFrom(options, properties['flume.root.logger']),
    listen: listenAddress(options.listen, options.insecure ?? false),
    isInsecure: options.insecure ?? false,
    coordination: options.coordination,
    reloadIntervalMs: options.reloadConf ? seconds(options.pollInterval) * 1000 : undefined,
    isDryRun: options.dryrun ?? false,
    warnings: withoutEffect(options, javaOptions),
  }
}

const agentOptions: readonly CommandOption[] = [
  { flags: '-n, --name <name>', doc: "the agent's name in the configuration" },
  {
    flags: '-f, --conf-file <file>',
    doc: 'a flume.conf; several are merged',
    parse: collect,
    default: [],
  },
  {
    flags: '-u, --conf-uri <uri>',
    doc: 'a flume.conf as file: URI',
    parse: collect,
    default: [],
  },
  {
    flags: '-c, --conf <directory>',
    doc: 'directory searched for a --conf-file that does not exist at the path given',
  },
  {
    flags: '-i, --poll-interval <seconds>',
    doc: 'interval between checks for a changed configuration',
    default: '30',
  },
  { flags: '--no-reload-conf', doc: 'read the configuration once' },
  { flags: '-d, --dryrun', doc: 'check the configuration and exit' },
  logLevelOption('default: info'),
  {
    flags: '--listen <host:port>',
    doc: 'address of metrics and health; port 0 takes a free one',
    default: '127.0.0.1:0',
  },
  {
    flags: '--insecure',
    doc: 'allow --listen to be an address that other hosts can reach, without authentication',
  },
  coordinationOption,
  {
    flags: '-z, --zkConnString <servers>',
    doc: 'not supported: a configuration in ZooKeeper',
  },
  {
    flags: '-p, --zkBasePath <path>',
    doc: 'not supported: a configuration in ZooKeeper',
  },
  { flags: '-b, --backup-directory <directory>', doc: 'accepted without effect' },
  {
    flags: '-C, --classpath <paths>',
    doc: 'accepted without effect, as are -X options of Java',
  },
  { flags: '--plugins-path <paths>', doc: 'accepted without effect' },
  ...logOutputOptions,
]

function commandOf(stdout: (text: string) => void): Command {
  const command = new Command('millrace agent')
    .description("runs an agent of a flume.conf; takes the arguments of 'flume-ng agent'")
    .addHelpText(
      'after',
      `
-Dkey=value sets the value of sys:key in the configuration. -Dflume.monitoring.type=http serves Flume's
metrics page on -Dflume.monitoring.port=N (41414) of -Dflume.monitoring.host=ADDRESS (127.0.0.1).
-Dflume.root.logger=LEVEL,console sets the log level.
SIGTERM, SIGINT and SIGHUP stop the agent in order.`,
    )
    .configureOutput({ writeOut: stdout, writeErr: () => {} })
    .exitOverride()
  return addOptions(command, agentOptions)
}

/** Separates arguments of the Java launcher, `-Dkey=value` and `-X` options, from the agent's. */
function withoutJavaArguments(args: readonly string[]): {
  properties: Record<string, string>
  javaOptions: string[]
  rest: string[]
} {
  const properties: Record<string, string> = {}
  const javaOptions: string[] = []
  const rest: string[] = []
  for (const arg of args) {
    const match = /^-D([^=]+)(?:=(.*))?$/s.exec(arg)
    if (match) properties[match[1]!] = match[2] ?? ''
    else if (arg.startsWith('-X')) javaOptions.push(arg)
    else rest.push(arg)
  }
  return { properties, javaOptions, rest }
}

const knownNames = new Set(['help', ...longNames(agentOptions)])

/** Flume accepts `-conf-file` as `--conf-file`. */
function withTwoDashes(arg: string): string {
  const [, name] = /^-([a-zA-Z][a-zA-Z-]+)(?:=.*)?$/s.exec(arg) ?? []
  return name !== undefined && knownNames.has(name) ? `-${arg}` : arg
}

function pathOfUri(uri: string): string {
  if (uri.startsWith('file:')) return decodeURIComponent(new URL(uri).pathname)
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return uri
  throw mistake(`--conf-uri ${uri} is not supported: only file: URIs are; save it to a file`)
}

function seconds(text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (value < 1) throw mistake(`--poll-interval '${text}' is not a number of seconds, at least 1`)
  return value
}

function listenAddress(text: string, isInsecure: boolean): Address {
  const address = parseHostPort(text)
  if (address === undefined) {
    throw mistake(`--listen ${text} is not an address: use host:port; port 0 takes a free port`)
  }
  if (isLoopback(address.host) || isInsecure) return address
  throw mistake(
    `--listen ${text} can be reached by other hosts without authentication: use 127.0.0.1, or add --insecure if that is intended`,
  )
}

/** The logging options; `--log-level` takes precedence over `-Dflume.root.logger=DEBUG,console`. */
function loggingFrom(options: LoggingOptions, rootLogger: string | undefined): LoggingOptions {
  requireLogFile(options)
  return { ...loggingOf(options), logLevel: options.logLevel ?? flumeLevel(rootLogger) }
}

function flumeLevel(rootLogger = ''): LogLevel {
  const [level] = rootLogger.toLowerCase().split(',')
  if (level === 'trace' || level === 'all') return 'debug'
  if (level === 'fatal' || level === 'off') return 'error'
  return logLevels.find((known) => known === level) ?? 'info'
}

function withoutEffect(options: ParsedOptions, javaOptions: readonly string[]): string[] {
  const warnings: string[] = []
  if (options.backupDirectory !== undefined) {
    warnings.push('--backup-directory has no effect: no copy of the configuration is kept')
  }
  if (options.classpath !== undefined || options.pluginsPath !== undefined) {
    warnings.push('--classpath and --plugins-path have no effect: Java classes are not loaded')
  }
  if (javaOptions.length > 0) {
    warnings.push(`${javaOptions.join(' ')}: Java options have no effect`)
  }
  return warnings
}

function missing(option: string, meaning: string): AgentError {
  return mistake(`${option} is required: ${meaning}`)
}

function mistake(message: string, cause?: unknown): AgentError {
  return new AgentError('CONFIGURATION', message, cause)
}

function collect(value: string, all: readonly string[]): string[] {
  return [...all, value]
}
