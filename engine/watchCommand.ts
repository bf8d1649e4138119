// `millrace job submit --watch`: runs a job, and its next version when its code changes. The new version is
// checked in a thread of its own while the old one runs; then the old one is stopped in order and the new
// one continues with its state. A version that does not compile, or is refused, changes nothing.

import { type FSWatcher, watch } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { systemClock, type Timer } from '../protocol/runtime/clock.ts'
import { isOperational } from '../protocol/runtime/operational.ts'
import {
  type DriverArguments,
  runningLine,
  type SubmitArguments,
  stopOnSignals,
} from './command.ts'
import { DriverThread } from './driverThread.ts'
import type { HostedJob, JobHost } from './jobHost.ts'
import type { JobDescription } from './runningJob.ts'

/** Time without changes after which a change is complete: editors write a file in steps. */
const settleMs = 200
/** Time for the current batch: a change of the code must not abort it. */
const stopTimeoutMs = 60_000

type Host = JobHost<DriverArguments>

/** Resolves after a signal or `millrace job stop`. Fails when the first version does not start. */
export async function watchJob(host: Host, args: SubmitArguments): Promise<void> {
  let isStopping = false
  const changes = new Changes(args)
  // A change while the first version starts must not be missed.
  changes.watch([])
  const onSignal = () => {
    isStopping = true
    changes.wake()
  }
  let newest = await started(host, args, () => stopOnSignals(host, onSignal))
  let runs: HostedJob | undefined = newest
  changes.watch(newest.description.files)
  say(`watching ${changes.place}`)
  for (;;) {
    const event = await Promise.race([changes.changed, ...(runs ? [ended(runs)] : [])])
    if (isStopping || event === 'stopped') break
    if (event !== 'changed') {
      runs = undefined
      say(`the job has failed: ${event.message}\n${waiting}`)
      continue
    }
    changes.accept()
    const found = await checked(args, newest.description)
    if (isStopping) break
    if (found instanceof Error) {
      say(`${found.message}\n${runs ? goesOn : waiting}`)
    } else if (found === 'changed' || runs === undefined) {
      runs = await exchanged(host, args, runs, () => isStopping)
      newest = runs ?? newest
      changes.watch(newest.description.files)
    }
  }
  changes.close()
  // A version that started after the signal did not see it.
  if (isStopping) host.stop()
  await runs?.ended
}

const goesOn = 'millrace job: the version that was running goes on'
const waiting = 'millrace job: it is started again when its code changes'

/** Starts a version, and prints that it runs. */
async function started(
  host: Host,
  args: DriverArguments,
  onRunning: () => void = () => {},
): Promise<HostedJob> {
  const hosted = await host.start(onRunning, args)
  process.stdout.write(`${runningLine(hosted, args)}\n`)
  return hosted
}

/** Resolves with how a running job ends by itself. */
function ended({ ended: end }: HostedJob): Promise<'stopped' | Error> {
  return end.then(
    () => 'stopped' as const,
    (error: Error) => {
      if (!isOperational(error)) throw error
      return error
    },
  )
}

/** Returns whether the code differs from the running job's, or why it cannot continue that job. */
async function checked(
  args: SubmitArguments,
  running: JobDescription,
): Promise<'changed' | 'same' | Error> {
  const check = new DriverThread<DriverArguments>({ ...args, check: running })
  try {
    return (await check.checked) ? 'changed' : 'same'
  } catch (error) {
    if (!isOperational(error)) throw error
    return error
  } finally {
    // Handles opened by the module may keep the thread alive.
    await check.terminate()
  }
}

/** Undefined when the new version did not start, because of a signal or of a failed start. */
async function exchanged(
  host: Host,
  args: SubmitArguments,
  runs: HostedJob | undefined,
  isStopping: () => boolean,
): Promise<HostedJob | undefined> {
  say(runs ? 'the code has changed: going on with the new version' : 'starting the job again')
  try {
    if (runs) await stopped(host, runs)
    if (isStopping()) return undefined
    return await started(host, { ...args, isChecked: true })
  } catch (error) {
    if (!isOperational(error)) throw error
    say(`the new version has not started: ${error.message}\n${waiting}`)
    return undefined
  }
}

/** A version that fails while it stops, or does not stop, is replaced all the same. */
async function stopped(host: Host, runs: HostedJob): Promise<void> {
  host.stop({ timeoutMs: stopTimeoutMs })
  const end = await ended(runs)
  if (end === 'stopped') return
  say(`the version that was running has failed: ${end.message}`)
  await runs.terminate()
}

function say(line: string): void {
  process.stderr.write(`millrace job: ${line}\n`)
}

/** Watches the job's files for changes. */
class Changes {
  readonly #args: SubmitArguments
  readonly #folder: string
  #watchers: FSWatcher[] = []
  #timer: Timer | undefined
  #changed = Promise.withResolvers<'changed'>()

  constructor(args: SubmitArguments) {
    this.#args = args
    this.#folder = dirname(resolve(args.job))
  }

  get place(): string {
    const files = this.#watchers.length
    return files > 1 ? `${this.#folder} and what the job imports` : this.#folder
  }

  /** Watches the folder of the module and those of `files`: a file that is replaced is another file. */
  watch(files: readonly string[] = []): void {
    for (const watcher of this.#watchers) watcher.close()
    const others = new Set(files.map((file) => dirname(resolve(file))))
    const isInside = (folder: string) => (folder + sep).startsWith(this.#folder + sep)
    const folders = [...others].filter((folder) => !isInside(folder) && !isPackage(folder))
    this.#watchers = [
      watch(this.#folder, { recursive: true }, (_event, name) => this.#noticed(this.#folder, name)),
      ...folders.map((folder) => watch(folder, (_event, name) => this.#noticed(folder, name))),
    ]
    // The removal of a folder shows as changes of its files.
    for (const watcher of this.#watchers) watcher.on('error', () => {})
  }

  /** Resolves when files have changed since `accept` and are no longer changing. */
  get changed(): Promise<'changed'> {
    return this.#changed.promise
  }

  accept(): void {
    this.#changed = Promise.withResolvers<'changed'>()
  }

  wake(): void {
    this.#changed.resolve('changed')
  }

  close(): void {
    this.#timer?.cancel()
    for (const watcher of this.#watchers) watcher.close()
  }

  #noticed(folder: string, name: string | null): void {
    if (name !== null && !this.#matters(folder, name)) return
    this.#timer?.cancel()
    this.#timer = systemClock.setTimer(settleMs, () => this.wake())
  }

  /** The job's own directory changes with every batch; hidden folders are of tools. */
  #matters(folder: string, name: string): boolean {
    const path = resolve(folder, name)
    const isState = !relative(resolve(this.#args.directory), path).startsWith('..')
    const isHidden = name.split(sep).some((part) => part.startsWith('.'))
    return /\.(?:[cm]?[jt]s|json)$/.test(path) && !isState && !isHidden && !isPackage(name)
  }
}

/** Packages are not the job's code. */
function isPackage(path: string): boolean {
  return path.split(sep).includes('node_modules')
}
