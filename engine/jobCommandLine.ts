// Subcommands and options of `millrace job` and `millrace submit`. The code of a command is loaded when
// the command is given.

import { basename, extname, join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { addOptions, type CommandOption } from '../protocol/commandLine/commandOptions.ts'
import { logLevelOption, logOutputOptions } from '../protocol/commandLine/loggingOptions.ts'
import { positive } from '../protocol/commandLine/optionValues.ts'
import type { DataLocation } from '../protocol/runtime/dataLocation.ts'
import { processDataLocation } from '../protocol/runtime/processDataLocation.ts'

const bootstrapOption: CommandOption = {
  flags: '--bootstrap <host:port,...>',
  doc: 'brokers to ask first',
  default: '127.0.0.1:9092',
}

/** `version` is that of this program. */
export function addJobCommands(program: Command, version: string): void {
  addSubmit(program.command('submit'), version).description(
    "runs a job, a TypeScript module, until it is stopped (short for 'job submit')",
  )
  const job = program.command('job').description('runs jobs, and controls running ones')
  addSubmit(job.command('submit').alias('start'), version).description(
    'runs a job, a TypeScript module, until it is stopped',
  )
  addOptions(job.command('list'), [bootstrapOption])
    .description('the jobs that report to the brokers, and their state')
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
    .option('--timeout <seconds>', 'most time for the batch that runs (default: 10)', positive)
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
      await (await import('./jobCommand.ts')).savepointCommand({ ...options, name, version })
    })
  addRewind(job.command('rewind'))
}

const submitOptions: readonly CommandOption[] = [
  bootstrapOption,
  {
    flags: '--directory <directory>',
    doc: 'directory of offsets and state (default: JOB in $STATE_DIRECTORY, /var/lib/millrace/jobs for root, or ~/.local/share/millrace/jobs)',
  },
  { flags: '--executors <number>', doc: 'worker threads (default: 2)', parse: positive },
  { flags: '--executor-memory <size>', doc: 'memory of each executor: 512m, 2g', parse: memory },
  {
    flags: '--batch-interval-ms <ms>',
    doc: 'time between batches (default: 1000)',
    parse: positive,
  },
  {
    flags: '--task-timeout-ms <ms>',
    doc: 'limit of one attempt of a task (default: 300000)',
    parse: positive,
  },
  {
    flags: '--max-records-per-partition <number>',
    doc: 'most records that a batch reads of one partition (default: 1000000)',
    parse: positive,
  },
  {
    flags: '--max-batch-bytes <bytes>',
    doc: 'approximate most bytes that a batch reads (default: 268435456)',
    parse: positive,
  },
  {
    flags: '--max-batch-time-ms <ms>',
    doc: 'time after which a batch is split, unless an output has begun (default: no limit)',
    parse: positive,
  },
  {
    flags: '--isolation-level <level>',
    doc: 'read_committed (default) or read_uncommitted',
    parse: isolation,
  },
  {
    flags: '--conf <key=value>',
    doc: 'a setting of the engine; may be given several times',
    parse: setting,
  },
  { flags: '--from <savepoint>', doc: 'savepoint with which a new directory begins' },
  {
    flags: '--discard-state <uid,...>',
    doc: 'discard these states where the new code cannot continue them',
    parse: names,
  },
  {
    flags: '--listen <host:port>',
    doc: 'address at which the job answers (default: a free port of 127.0.0.1)',
  },
  {
    flags: '--insecure',
    doc: 'allow --listen to be an address that other hosts reach, without a login',
  },
  { flags: '--watch', doc: 'restart with the new version of the job whenever its code changes' },
  logLevelOption(undefined, 'info'),
  ...logOutputOptions,
]

function addSubmit(command: Command, version: string): Command {
  command.argument('<job>', "the job's module")
  return addOptions(command, submitOptions).action(async (module: string, options) => {
    const name = basename(module, extname(module))
    const { directory, isFormer } = defaultDirectory(name)
    const formerDirectory = isFormer && options.directory === undefined
    const args = { directory, ...options, job: module, version, formerDirectory }
    await (await import('./command.ts')).submitCommand(args)
  })
}

/** Returns the directory of a job named after its module's file. */
function defaultDirectory(name: string): DataLocation {
  return processDataLocation({
    path: join('jobs', name),
    pathInState: name,
    formerPath: join('millrace-jobs', name),
  })
}

const rewindOptions: readonly CommandOption[] = [
  { flags: '--directory <directory>', doc: 'the directory of the job', required: true },
  bootstrapOption,
  { flags: '--to-batch <number>', doc: 'to the end of this batch', parse: wholeNumber },
  {
    flags: '--to-time <time>',
    doc: 'to the end of the newest batch up to this time: 2026-01-31T12:00:00Z',
  },
  {
    flags: '--to-offsets <topic:partition=offset,...>',
    doc: 'to these offsets, each a number, earliest or latest; earliest alone: of all topics',
  },
  { flags: '--reset-state', doc: 'begin with empty state' },
  {
    flags: '--keep-state',
    doc: 'with --to-offsets: keep the state; records that are read again count again',
  },
]

function addRewind(command: Command): void {
  command.description('takes a job that does not run back to an earlier point of its topics')
  addOptions(command, rewindOptions).action(async (options) =>
    (await import('./rewindCommand.ts')).rewindCommand(options),
  )
}

/** Select a job by name, or by its directory. */
const selectionOptions: readonly CommandOption[] = [
  bootstrapOption,
  { flags: '--instance <instance>', doc: 'which one, of several jobs of one name' },
  { flags: '--directory <directory>', doc: 'find the job by its directory, without a broker' },
]

function selecting(command: Command): Command {
  return addOptions(command.argument('[name]', 'the name of the job'), selectionOptions)
}

/** Batches count from 0. */
function wholeNumber(text: string): number {
  return text === '0' ? 0 : positive(text)
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
