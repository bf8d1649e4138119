// The words and options of `millrace job` and `millrace submit`. The code of a command is loaded when it is
// given.

import { basename, extname, join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { logOutputOptions } from '../protocol/commandLine/loggingOptions.ts'
import type { DataLocation } from '../protocol/runtime/dataLocation.ts'
import { processDataLocation } from '../protocol/runtime/processDataLocation.ts'
import type { LogLevel } from '../protocol/telemetry/logLevel.ts'

/** What the options of all programs have in common. */
export interface OptionKinds {
  readonly positive: (text: string) => number
  readonly logLevel: () => Option
  /** Of this program. */
  readonly version: string
}

const defaultBootstrap = '127.0.0.1:9092'

export function addJobCommands(program: Command, kinds: OptionKinds): void {
  addSubmit(program.command('submit'), kinds).description(
    "runs a job, a TypeScript module, until it is stopped (short for 'job submit')",
  )
  const job = program.command('job').description('runs jobs, and tells and asks those that run')
  addSubmit(job.command('submit').alias('start'), kinds).description(
    'runs a job, a TypeScript module, until it is stopped',
  )
  job
    .command('list')
    .description('the jobs that report to the brokers, and how they are')
    .addOption(bootstrap())
    .option('--json', 'print one JSON array')
    .action(async (options) => (await import('./jobCommand.ts')).listCommand(options))
  selecting(job.command('describe'))
    .description('what a job does now, what its newest batch did, where it is in its topics')
    .option('--json', 'print one JSON object')
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).describeCommand({ ...options, name })
    })
  selecting(job.command('stop'))
    .description('stops a job when the batch that runs is done, and waits for its end')
    .option(
      '--timeout <seconds>',
      'most time for the batch that runs (default: 10)',
      kinds.positive,
    )
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).stopCommand({ ...options, name })
    })
  selecting(job.command('kill'))
    .description('ends a job at once; the batch that runs is run again at the next start')
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).killCommand({ ...options, name })
    })
  selecting(job.command('savepoint'))
    .description('copies the state of a job, with its offsets, into a new directory')
    .requiredOption('--to <directory>', 'where the savepoint is written')
    .action(async (name, options) => {
      const { version } = kinds
      await (await import('./jobCommand.ts')).savepointCommand({ ...options, name, version })
    })
  addRewind(job.command('rewind'), kinds)
}

function addSubmit(command: Command, { positive, logLevel, version }: OptionKinds): Command {
  command
    .argument('<job>', "the job's module")
    .addOption(bootstrap())
    .option(
      '--directory <directory>',
      'where offsets and state are (default: JOB in $STATE_DIRECTORY, /var/lib/millrace/jobs for root, or ~/.local/share/millrace/jobs)',
    )
    .option('--executors <number>', 'worker threads (default: 2)', positive)
    .option('--executor-memory <size>', 'memory of each executor: 512m, 2g', memory)
    .option('--batch-interval-ms <ms>', 'time between batches (default: 1000)', positive)
    .option('--task-timeout-ms <ms>', 'limit of one attempt of a task (default: 300000)', positive)
    .option(
      '--max-records-per-partition <number>',
      'most that a batch reads of one partition (default: 1000000)',
      positive,
    )
    .option(
      '--max-batch-bytes <bytes>',
      'most that a batch reads, about (default: 268435456)',
      positive,
    )
    .option(
      '--max-batch-time-ms <ms>',
      'a batch that takes longer is split, before an output has begun (default: no limit)',
      positive,
    )
    .option('--isolation-level <level>', 'read_committed (default) or read_uncommitted', isolation)
    .option('--conf <key=value>', 'a setting of the engine; may be given several times', setting)
    .option('--from <savepoint>', 'a savepoint with which a new directory begins')
    .option('--discard-state <uid,...>', 'give these states up where they cannot go on', names)
    .option('--listen <host:port>', 'where the job answers (default: a free port of 127.0.0.1)')
    .option('--insecure', 'let --listen be an address that other hosts reach, without a login')
    .option('--watch', 'go on with the next version of the job whenever its code changes')
    .addOption(logLevel().default('info' satisfies LogLevel))
  for (const option of logOutputOptions()) command.addOption(option)
  return command.action(async (module: string, options) => {
    const name = basename(module, extname(module))
    const { directory, isFormer } = defaultDirectory(name)
    const formerDirectory = isFormer && options.directory === undefined
    const args = { directory, ...options, job: module, version, formerDirectory }
    await (await import('./command.ts')).submitCommand(args)
  })
}

/** Of a job that is known by the name of its module's file. */
function defaultDirectory(name: string): DataLocation {
  return processDataLocation({
    path: join('jobs', name),
    pathInState: name,
    formerPath: join('millrace-jobs', name),
  })
}

function addRewind(command: Command, { positive }: OptionKinds): void {
  command
    .description('takes a job that does not run back to an earlier point of its topics')
    .requiredOption('--directory <directory>', 'the directory of the job')
    .addOption(bootstrap())
    .option('--to-batch <number>', 'as after this batch', wholeNumber(positive))
    .option('--to-time <time>', 'as after the newest batch up to then: 2026-01-31T12:00:00Z')
    .option(
      '--to-offsets <topic:partition=offset,...>',
      'at these offsets, each a number, earliest or latest; earliest alone: of all topics',
    )
    .option('--reset-state', 'begin with empty state')
    .option('--keep-state', 'with --to-offsets: keep the state; what is read again counts again')
    .action(async (options) => (await import('./rewindCommand.ts')).rewindCommand(options))
}

/** A job by name, or by its directory. */
function selecting(command: Command): Command {
  return command
    .argument('[name]', 'the name of the job')
    .addOption(bootstrap())
    .option('--instance <instance>', 'which one, of several jobs of one name')
    .option('--directory <directory>', 'find the job by its directory, without a broker')
}

function bootstrap(): Option {
  return new Option('--bootstrap <host:port,...>', 'brokers to ask first').default(defaultBootstrap)
}

/** 0 is a batch, too. */
function wholeNumber(positive: (text: string) => number): (text: string) => number {
  return (text) => (text === '0' ? 0 : positive(text))
}

function isolation(text: string): 'committed' | 'uncommitted' {
  if (text === 'read_committed') return 'committed'
  if (text === 'read_uncommitted') return 'uncommitted'
  throw new InvalidArgumentError('give read_committed or read_uncommitted.')
}

const leastMemoryMebibytes = 64

/** In MiB, as Spark writes sizes. */
function memory(text: string): number {
  const [, number, unit] = /^(\d+)([mg])b?$/i.exec(text) ?? []
  const mebibytes = Number(number) * (unit?.toLowerCase() === 'g' ? 1024 : 1)
  if (mebibytes >= leastMemoryMebibytes && Number.isSafeInteger(mebibytes)) return mebibytes
  throw new InvalidArgumentError(`give a size of at least ${leastMemoryMebibytes}m: 512m, 2g.`)
}

function names(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',').filter((name) => name !== '')]
}

function setting(text: string, settings: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=')
  const key = text.slice(0, at).trim()
  if (at < 1 || key === '') throw new InvalidArgumentError('give key=value.')
  if (Object.hasOwn(settings, key)) throw new InvalidArgumentError(`${key} is given twice.`)
  return { ...settings, [key]: text.slice(at + 1).trim() }
}
