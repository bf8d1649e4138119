#!/usr/bin/env node
// The command line of Millrace: one command, every program a subcommand. Parses the options that are
// not the agent's, loads the program's code and runs it. A program's code is loaded when its command
// is given: no command waits for code that it does not use.

// Imported as a namespace: on an old Node, naming a missing export would end with a SyntaxError.
import * as nodeModule from 'node:module'
import { homedir } from 'node:os'
import type { Command as CommandType } from 'commander'
import type { CommandOption } from './protocol/commandLine/commandOptions.ts'
import { codeCacheDirectory, isWritableDirectory } from './protocol/runtime/codeCache.ts'
import { nodeProblem } from './protocol/runtime/nodeVersion.ts'
import { ownPackage } from './protocol/runtime/ownPackage.ts'
import type { OutputFailed } from './protocol/runtime/standardStreams.ts'
import type { BuildInfo } from './protocol/telemetry/buildInfo.ts'

requireNode()
// Keeps stripped and compiled code between starts, which makes a start three times as fast. Only
// modules imported after this call are cached. Without a writable directory, nothing is cached.
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
] = await Promise.all([
  import('commander'),
  import('./protocol/commandLine/commandOptions.ts'),
  import('./protocol/commandLine/optionValues.ts'),
  import('./protocol/commandLine/loggingOptions.ts'),
  import('./protocol/commandLine/stopSignals.ts'),
  import('./protocol/runtime/operational.ts'),
  import('./protocol/runtime/standardStreams.ts'),
  import('./demo/diskShares.ts'),
  import('./engine/jobCommandLine.ts'),
])

const demoOptions: readonly CommandOption[] = [
  logLevelOption(undefined, 'error'),
  ...logOutputOptions,
  { flags: '--input <file>', doc: 'file to feed instead of generated orders' },
  {
    flags: '--rate <lines>',
    doc: 'lines a second (default: 2000; a file as fast as possible)',
    parse: positive,
  },
  { flags: '--once', doc: 'end when every line of the input has been counted' },
  { flags: '--json', doc: 'print one JSON object at the end and nothing else on standard output' },
  {
    flags: '--console-port <port>',
    doc: 'port of the page (default: 8080, or a free one)',
    parse: port,
  },
  {
    flags: '--port <port>',
    doc: 'port for Kafka clients (default: 9092, or a free one)',
    parse: port,
  },
  {
    flags: '--disk <MiB>',
    doc: `most disk space taken, in MiB (default: ${defaultDiskMebibytes}); older data is removed`,
    parse: diskMebibytes,
  },
]

const brokerOptions: readonly CommandOption[] = [
  logLevelOption('default: info; wins over log.level of the configuration'),
  ...logOutputOptions,
  { flags: '--port <port>', doc: 'port to listen on (default: 9092)', parse: port },
  { flags: '--host <address>', doc: 'address to listen on (default: 127.0.0.1)' },
  {
    flags: '--data <directory>',
    doc: 'data directory (default: $STATE_DIRECTORY, /var/lib/millrace/broker for root, or ~/.local/share/millrace/broker)',
  },
  { flags: '--config <file>', doc: "options in Kafka's server.properties format" },
  {
    flags: '--console-port <port>',
    doc: 'port of console, admin REST API, metrics and health, on 127.0.0.1 (default: 8080, or a free one)',
    parse: port,
  },
  { flags: '--no-console', doc: 'serve none of these' },
  {
    flags: '--metrics-listen <host:port>',
    doc: 'second address, for other hosts, with metrics, health and version alone',
  },
]

const adminOptions: readonly CommandOption[] = [
  logLevelOption('default: info'),
  ...logOutputOptions,
  {
    flags: '--bootstrap <host:port>',
    doc: 'brokers to ask first, comma-separated',
    required: true,
  },
  {
    flags: '--port <port>',
    doc: 'port to serve on, on 127.0.0.1 (default: 8080, or a free one)',
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
      'Log lines from the hosts that write them into results that are always up to date.',
    )
    .version(`millrace ${version()}`, '-V, --version', 'print the version')
    .exitOverride()
  addOptions(program.command('demo'), demoOptions)
    .description('the main job in one process: orders are written, tailed, stored, counted, shown')
    .action(async (options) => {
      // Before the rooms are loaded: a signal meanwhile must end the demo in order, too.
      const interrupted = firstStopSignal()
      const { demo } = await import('./demo/demo.ts')
      await demo(options, { outputFailed, interrupted, build: build() })
    })
  addOptions(program.command('broker'), brokerOptions)
    .description('a commit log that Kafka clients can talk to')
    .action(async (options) => {
      await (await import('./broker/command.ts')).brokerCommand({ ...options, build: build() })
    })
  addOptions(program.command('admin'), adminOptions)
    .description('the console and the admin REST API over any Kafka cluster')
    .action(async (options) => {
      await (await import('./broker/admin/adminCommand.ts')).adminCommand({
        ...options,
        build: build(),
      })
    })
  program
    .command('agent')
    .description("runs an agent of a flume.conf, with flume-ng agent's options (see agent --help)")
    .argument('[options...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(async (words: string[]) => {
      process.exitCode = await agent(words)
    })
  addJobCommands(program, version())
  return program
}

/** `help agent` is the agent's own help: the agent parses its options itself. */
function askedFor(words: readonly string[]): readonly string[] {
  return words[0] === 'help' && words[1] === 'agent' ? ['agent', '--help'] : words
}

/** `words` are the arguments after `agent`. flume-ng has `help` and `version` as commands. */
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

/** Ends the process when this Node is too old for the code that is loaded next. */
function requireNode(): void {
  const problem = nodeProblem(process.versions.node, ownPackage().engines.node)
  if (problem === undefined) return
  const remedy = import.meta.url.endsWith('.ts')
    ? "use 'npm run millrace -- COMMAND', which brings its own"
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
