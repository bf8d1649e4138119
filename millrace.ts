#!/usr/bin/env node
// The command line of Millrace: every program is a subcommand of `millrace`. Parses the options of
// all programs except the agent, which parses its own as flume-ng does. The code of a program is
// loaded only when its command is given.

// Imported as a namespace: on an old Node, importing a missing export by name would be a
// SyntaxError.
import * as nodeModule from 'node:module'
import { homedir } from 'node:os'
import type { Command as CommandType } from 'commander'
import type { CommandOption } from './protocol/commandLine/commandOptions.ts'
import { codeCacheDirectory, isWritableDirectory } from './protocol/runtime/process/codeCache.ts'
import { nodeProblem } from './protocol/runtime/process/nodeVersion.ts'
import { ownPackage } from './protocol/runtime/process/ownPackage.ts'
import type { OutputFailed } from './protocol/runtime/process/standardStreams.ts'
import type { BuildInfo } from './protocol/telemetry/metrics/buildInfo.ts'

requireNode()
// Caches stripped and compiled code between starts, which makes a start three times as fast. Only
// modules imported after this call are cached; without a writable directory, nothing is.
const { platform, env: environment } = process
const codeCache = { url: import.meta.url, platform, environment, home: homedir }
const cacheDirectory = codeCacheDirectory(codeCache)
if (cacheDirectory !== undefined && isWritableDirectory(cacheDirectory)) {
  nodeModule.enableCompileCache(cacheDirectory)
}
const [
  { Command, CommanderError, InvalidArgumentError },
  { addOptions },
  { port, positive },
  { logLevelOption, logOutputOptions },
  { firstStopSignal },
  { isOperational },
  { outputFailure },
  { defaultDiskMebibytes, leastDiskMebibytes },
  { addJobCommands },
  { addCoordinationCommands },
] = await Promise.all([
  import('commander'),
  import('./protocol/commandLine/commandOptions.ts'),
  import('./protocol/commandLine/optionValues.ts'),
  import('./protocol/commandLine/loggingOptions.ts'),
  import('./protocol/commandLine/stopSignals.ts'),
  import('./protocol/runtime/operational.ts'),
  import('./protocol/runtime/process/standardStreams.ts'),
  import('./demo/diskShares.ts'),
  import('./engine/commandLine/jobCommandLine.ts'),
  import('./protocol/commandLine/coordination/coordinationCommandLine.ts'),
])

const demoOptions: readonly CommandOption[] = [
  logLevelOption(undefined, 'error'),
  ...logOutputOptions,
  { flags: '--input <file>', doc: 'input file (default: generated orders)' },
  {
    flags: '--rate <lines>',
    doc: 'input rate, in lines per second (default: 2000; unlimited with --input)',
    parse: positive,
  },
  { flags: '--once', doc: 'exit when every line of the input is counted' },
  { flags: '--json', doc: 'print only the result, as one JSON object' },
  {
    flags: '--console-port <port>',
    doc: 'port of the console (default: 8080, or a free port if it is in use)',
    parse: port,
  },
  {
    flags: '--port <port>',
    doc: 'port for Kafka clients (default: 9092, or a free port if it is in use)',
    parse: port,
  },
  {
    flags: '--disk <MiB>',
    doc: `disk space limit, in MiB; older data is deleted (default: ${defaultDiskMebibytes})`,
    parse: diskMebibytes,
  },
]

const brokerOptions: readonly CommandOption[] = [
  logLevelOption('default: info; overrides log.level of the configuration'),
  ...logOutputOptions,
  { flags: '--port <port>', doc: 'port to listen on (default: 9092)', parse: port },
  { flags: '--host <address>', doc: 'address to listen on (default: 127.0.0.1)' },
  {
    flags: '--data <directory>',
    doc: 'data directory (default: $STATE_DIRECTORY, /var/lib/millrace/broker for root, or ~/.local/share/millrace/broker)',
  },
  { flags: '--config <file>', doc: "configuration file, in Kafka's server.properties format" },
  {
    flags: '--console-port <port>',
    doc: 'port of the console, admin REST API, metrics and health, on 127.0.0.1 (default: 8080, or a free port if it is in use)',
    parse: port,
  },
  { flags: '--no-console', doc: 'disable the console, admin REST API, metrics and health' },
  {
    flags: '--metrics-listen <host:port>',
    doc: 'additional address for metrics, health and version only, reachable from other hosts',
  },
]

const adminOptions: readonly CommandOption[] = [
  logLevelOption('default: info'),
  ...logOutputOptions,
  {
    flags: '--bootstrap <host:port>',
    doc: 'bootstrap brokers, comma-separated',
    required: true,
  },
  {
    flags: '--port <port>',
    doc: 'port to listen on, on 127.0.0.1 (default: 8080, or a free port if it is in use)',
    parse: port,
  },
]

async function main(): Promise<void> {
  const outputFailed = outputFailure()
  try {
    await commands(outputFailed).parseAsync(askedFor(process.argv.slice(2)), { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else if (isOperational(error)) {
      process.stderr.write(`millrace: ${error.message}\n`)
      process.exitCode = 1
    } else throw error
  }
}

function commands(outputFailed: OutputFailed): CommandType {
  const program = new Command('millrace')
    .description(
      'Collects log lines, stores them in a Kafka-compatible broker, and keeps results up to date.',
    )
    .version(`millrace ${version()}`, '-V, --version', 'print the version and exit')
    .exitOverride()
  addOptions(program.command('demo'), demoOptions)
    .description('run the whole pipeline in one process, on generated orders or a file')
    .action(async (options) => {
      // Before the demo is loaded: a signal during loading must also stop it in order.
      const interrupted = firstStopSignal()
      const { demo } = await import('./demo/demo.ts')
      await demo(options, { outputFailed, interrupted, build: build() })
    })
  addOptions(program.command('broker'), brokerOptions)
    .description('run a broker for Kafka clients')
    .action(async (options) => {
      await (await import('./broker/command.ts')).brokerCommand({ ...options, build: build() })
    })
  addOptions(program.command('admin'), adminOptions)
    .description('serve the console and the admin REST API for any Kafka cluster')
    .action(async (options) => {
      await (await import('./broker/admin/adminCommand.ts')).adminCommand({
        ...options,
        build: build(),
      })
    })
  program
    .command('agent')
    .description('run an agent of a flume.conf, with the options of flume-ng agent')
    .argument('[options...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (words: string[]) => {
      process.exitCode = await agent(words)
    })
  addJobCommands(program, version())
  addCoordinationCommands(program)
  return program
}

/** Turns `help agent` into `agent --help`: the agent parses its options itself. */
function askedFor(words: readonly string[]): readonly string[] {
  return words[0] === 'help' && words[1] === 'agent' ? ['agent', '--help'] : words
}

/**
 * Runs the agent with the arguments after `agent` and returns its exit code. `help` and `version`
 * are accepted as commands, as by flume-ng.
 */
async function agent(words: readonly string[]): Promise<number> {
  const [first] = words
  if (first === 'version' || first === '--version' || first === '-V') {
    process.stdout.write(`millrace ${version()}\n`)
    return 0
  }
  const { agentCommand } = await import('./agent/command.ts')
  return await agentCommand(first === 'help' ? ['--help'] : words, build())
}

function build(): BuildInfo {
  const { version, gitHead } = ownPackage()
  return { version, ...(gitHead !== undefined && { commit: gitHead }) }
}

function version(): string {
  return ownPackage().version
}

/** Exits with a message when this Node is too old to load the rest of the program. */
function requireNode(): void {
  const problem = nodeProblem(process.versions.node, ownPackage().engines.node)
  if (problem === undefined) return
  const remedy = import.meta.url.endsWith('.ts')
    ? "use 'npm run millrace -- COMMAND', which runs the Node of node_modules"
    : `install a newer Node than ${process.execPath}`
  process.stderr.write(`millrace: ${problem}: ${remedy}\n`)
  process.exit(1)
}

function diskMebibytes(text: string): number {
  const value = positive(text)
  if (value >= leastDiskMebibytes) return value
  throw new InvalidArgumentError(`give at least ${leastDiskMebibytes}.`)
}

await main()
