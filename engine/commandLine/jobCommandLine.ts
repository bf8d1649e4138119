// The subcommands and options of `millrace job` and `millrace submit`. The code of a command is
// loaded only when the command is given.

import { basename, extname, join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { addOptions, type CommandOption } from '../../protocol/commandLine/commandOptions.ts'
import { coordinationOption } from '../../protocol/commandLine/coordination/coordinationOption.ts'
import { logLevelOption, logOutputOptions } from '../../protocol/commandLine/loggingOptions.ts'
import { positive } from '../../protocol/commandLine/optionValues.ts'
import type { DataLocation } from '../../protocol/runtime/process/dataLocation.ts'
import { processDataLocation } from '../../protocol/runtime/process/processDataLocation.ts'

const bootstrapOption: CommandOption = {
  flags: '--bootstrap <host:port,...>',
  doc: 'bootstrap brokers, comma-separated',
  default: '127.0.0.1:9092',
}

/** Adds the commands to `program`. `version` is Millrace's. */
export function addJobCommands(program: Command, version: string): void {
  addSubmit(program.command('submit'), version).description(
    "run a job until it is stopped (same as 'job submit')",
  )
  const job = program.command('job').description('run, inspect and control jobs')
  addSubmit(job.command('submit').alias('start'), version).description(
    'run a job until it is stopped',
  )
  addOptions(job.command('list'), [bootstrapOption])
    .description('list the jobs that report their status to the brokers')
    .option('--json', 'print a JSON array')
    .action(async (options) => (await import('./jobCommand.ts')).listCommand(options))
  selecting(job.command('describe'))
    .description('describe a job: its state, newest batch and positions')
    .option('--json', 'print a JSON object')
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).describeCommand({ ...options, name })
    })
  selecting(job.command('stop'))
    .description('stop a job after its current batch, and wait until it has ended')
    .option('--timeout <seconds>', 'limit on the current batch, in seconds (default: 10)', positive)
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).stopCommand({ ...options, name })
    })
  selecting(job.command('kill'))
    .description('end a job immediately; its current batch is repeated at the next start')
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).killCommand({ ...options, name })
    })
  selecting(job.command('savepoint'))
    .description('copy the offsets and state of a job into a new directory')
    .requiredOption('--to <directory>', 'new directory of the savepoint')
    .action(async (name, options) => {
      await (await import('./jobCommand.ts')).savepointCommand({ ...options, name, version })
    })
  addRewind(job.command('rewind'))
}

const submitOptions: readonly CommandOption[] = [
  bootstrapOption,
  {
    flags: '--directory <directory>',
    doc: 'job directory, for offsets and state (default: JOB in $STATE_DIRECTORY, /var/lib/millrace/jobs for root, or ~/.local/share/millrace/jobs)',
  },
  {
    flags: '--executors <number>',
    doc: 'number of executors, each a worker thread (default: 2)',
    parse: positive,
  },
  {
    flags: '--executor-memory <size>',
    doc: 'memory limit of each executor: 512m, 2g (default: no limit of its own)',
    parse: memory,
  },
  {
    flags: '--batch-interval-ms <ms>',
    doc: 'interval between starts of batches, in ms (default: 1000)',
    parse: positive,
  },
  {
    flags: '--task-timeout-ms <ms>',
    doc: 'limit on one attempt of a task, in ms (default: 300000)',
    parse: positive,
  },
  {
    flags: '--max-records-per-partition <number>',
    doc: 'limit on the records that a batch reads from one partition (default: 1000000)',
    parse: positive,
  },
  {
    flags: '--max-batch-bytes <bytes>',
    doc: 'approximate limit on the bytes that a batch reads (default: 268435456)',
    parse: positive,
  },
  {
    flags: '--max-batch-time-ms <ms>',
    doc: 'time after which a batch is split unless an output has begun, in ms (default: no limit)',
    parse: positive,
  },
  {
    flags: '--isolation-level <level>',
    doc: 'isolation level: read_committed (default) or read_uncommitted',
    parse: isolation,
  },
  {
    flags: '--conf <key=value>',
    doc: 'engine setting; repeatable',
    parse: setting,
  },
  { flags: '--from <savepoint>', doc: 'savepoint that initializes a new job directory' },
  {
    flags: '--discard-state <uid,...>',
    doc: 'operators whose state is discarded if the new code cannot continue it',
    parse: names,
  },
  {
    flags: '--listen <host:port>',
    doc: "address of the job's HTTP server (default: a free port of 127.0.0.1)",
  },
  {
    flags: '--insecure',
    doc: 'allow --listen to be reachable from other hosts, without authentication',
  },
  coordinationOption,
  { flags: '--watch', doc: 'restart the job whenever its code changes' },
  logLevelOption(undefined, 'info'),
  ...logOutputOptions,
]

function addSubmit(command: Command, version: string): Command {
  command.argument('<job>', 'file of the job, a TypeScript or JavaScript module')
  return addOptions(command, submitOptions).action(async (module: string, options) => {
    const name = basename(module, extname(module))
    const { directory, isFormer } = defaultDirectory(name)
    const formerDirectory = isFormer && options.directory === undefined
    const args = { directory, ...options, job: module, version, formerDirectory }
    await (await import('./command.ts')).submitCommand(args)
  })
}

/** Returns the default directory of a job whose module has this file name. */
function defaultDirectory(name: string): DataLocation {
  return processDataLocation({
    path: join('jobs', name),
    pathInState: name,
    formerPath: join('millrace-jobs', name),
  })
}

const rewindOptions: readonly CommandOption[] = [
  { flags: '--directory <directory>', doc: 'job directory', required: true },
  bootstrapOption,
  { flags: '--to-batch <number>', doc: 'target: the end of this batch', parse: wholeNumber },
  {
    flags: '--to-time <time>',
    doc: 'target: the end of the newest batch up to this time, such as 2026-01-31T12:00:00Z',
  },
  {
    flags: '--to-offsets <topic:partition=offset,...>',
    doc: 'target: these offsets; an offset is a number, earliest or latest; earliest or latest alone is for all topics',
  },
  { flags: '--reset-state', doc: 'start with empty state' },
  {
    flags: '--keep-state',
    doc: 'with --to-offsets: keep the state; records that are read again are counted again',
  },
]

function addRewind(command: Command): void {
  command.description('rewind a stopped job to earlier positions of its topics')
  addOptions(command, rewindOptions).action(async (options) =>
    (await import('./rewindCommand.ts')).rewindCommand(options),
  )
}

/** Options that select a running job, besides its name. */
const selectionOptions: readonly CommandOption[] = [
  bootstrapOption,
  { flags: '--instance <instance>', doc: 'instance, if several jobs have the same name' },
  {
    flags: '--directory <directory>',
    doc: 'job directory on this host; finds the job without a broker',
  },
]

function selecting(command: Command): Command {
  return addOptions(command.argument('[name]', 'job name'), selectionOptions)
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

/** Parses a size in Spark's notation. Returns MiB. */
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
