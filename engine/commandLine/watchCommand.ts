// `millrace job submit --watch`: runs a job and replaces it when its code changes. A new version is
// checked in a thread of its own while the current one runs; then the current one is stopped after
// its batch, and the new one continues with its state. A version that does not compile, or cannot
// continue the state, is reported and not started.

import { type FSWatcher, watch } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { isOperational } from '../../protocol/runtime/operational.ts'
import { systemClock, type Timer } from '../../protocol/runtime/time/clock.ts'
import type { JobDescription } from '../lifecycle/runningJob.ts'
import { DriverThread } from '../process/driverThread.ts'
import type { HostedJob, JobHost } from '../process/jobHost.ts'
import type { DriverArguments, SubmitArguments } from '../process/submitArguments.ts'
import { runningLine, stopOnSignals } from './submitProgress.ts'

/** Time without further changes after which files are complete: editors write a file in steps. */
const settleMs = 200
/**
 * Limit on the current batch when the job is replaced; long, because a code change must not abort
 * it.
 */
const stopTimeoutMs = 60_000

type Host = JobHost<DriverArguments>

/** Resolves after a signal or `millrace job stop`. Fails when the first version does not start. */
export async function watchJob(host: Host, args: SubmitArguments): Promise<void> {
  let isStopping = false
  const changes = new Changes(args)
  // Watching begins before the first version starts, so that no change during its start is missed.
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
      say(`the job failed: ${event.message}\n${waiting}`)
      continue
    }
    changes.accept()
    const found = await checked(args, newest.description)
    if (isStopping) break
    if (found instanceof Error) {
      say(`${found.message}\n${runs ? continuing : waiting}`)
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

const continuing = 'millrace job: the running version continues'
const waiting = 'millrace job: waiting for a change of the code to start it again'

/** Starts a version and prints its running line. */
async function started(
  host: Host,
  args: DriverArguments,
  onRunning: () => void = () => {},
): Promise<HostedJob> {
  const hosted = await host.start(onRunning, args)
  process.stdout.write(`${runningLine(hosted, args)}\n`)
  return hosted
}

/** Resolves when the job has ended: with 'stopped' or with its failure. */
function ended({ ended: end }: HostedJob): Promise<'stopped' | Error> {
  return end.then(
    () => 'stopped' as const,
    (error: Error) => {
      if (!isOperational(error)) throw error
      return error
    },
  )
}

/**
 * Returns whether the code differs from that of the running job, or the error that forbids its
 * start.
 */
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
    // Open handles of the module would keep the thread alive.
    await check.terminate()
  }
}

/** Replaces the running version. Returns undefined when a signal arrived or the start failed. */
async function exchanged(
  host: Host,
  args: SubmitArguments,
  runs: HostedJob | undefined,
  isStopping: () => boolean,
): Promise<HostedJob | undefined> {
  say(runs ? 'the code has changed: starting the new version' : 'starting the job again')
  try {
    if (runs) await stopped(host, runs)
    if (isStopping()) return undefined
    return await started(host, { ...args, isChecked: true })
  } catch (error) {
    if (!isOperational(error)) throw error
    say(`failed to start the new version: ${error.message}\n${waiting}`)
    return undefined
  }
}

/** Stops a version; terminates it if it fails to stop. */
async function stopped(host: Host, runs: HostedJob): Promise<void> {
  host.stop({ timeoutMs: stopTimeoutMs })
  const end = await ended(runs)
  if (end === 'stopped') return
  say(`the previous version failed while stopping: ${end.message}`)
  await runs.terminate()
}

function say(line: string): void {
  process.stderr.write(`millrace job: ${line}\n`)
}

/** Watches the files of the job's code for changes. */
class Changes {
  readonly #args: SubmitArguments
  readonly #directory: string
  #watchers: FSWatcher[] = []
  #timer: Timer | undefined
  #changed = Promise.withResolvers<'changed'>()

  constructor(args: SubmitArguments) {
    this.#args = args
    this.#directory = dirname(resolve(args.job))
  }

  get place(): string {
    const files = this.#watchers.length
    return files > 1 ? `${this.#directory} and the modules that the job imports` : this.#directory
  }

  /**
   * Watches the directories of the module and of `files`, not the files: an editor that replaces a
   * file would end a watch on the file itself.
   */
  watch(files: readonly string[] = []): void {
    for (const watcher of this.#watchers) watcher.close()
    const others = new Set(files.map((file) => dirname(resolve(file))))
    const isInside = (path: string) => (path + sep).startsWith(this.#directory + sep)
    const directories = [...others].filter((path) => !isInside(path) && !isPackage(path))
    this.#watchers = [
      watch(this.#directory, { recursive: true }, (_event, name) =>
        this.#onChange(this.#directory, name),
      ),
      ...directories.map((path) => watch(path, (_event, name) => this.#onChange(path, name))),
    ]
    // The removal of a directory is reported as changes of its files.
    for (const watcher of this.#watchers) watcher.on('error', () => {})
  }

  /** Resolves when files have changed since `accept` and then not for `settleMs`. */
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

  #onChange(directory: string, name: string | null): void {
    if (name !== null && !this.#isCode(directory, name)) return
    this.#timer?.cancel()
    this.#timer = systemClock.setTimer(settleMs, () => this.wake())
  }

  /** Excludes the job directory, which every batch changes, hidden directories and packages. */
  #isCode(directory: string, name: string): boolean {
    const path = resolve(directory, name)
    const isState = !relative(resolve(this.#args.directory), path).startsWith('..')
    const isHidden = name.split(sep).some((part) => part.startsWith('.'))
    return /\.(?:[cm]?[jt]s|json)$/.test(path) && !isState && !isHidden && !isPackage(name)
  }
}

/** Whether a path is inside an installed package. */
function isPackage(path: string): boolean {
  return path.split(sep).includes('node_modules')
}
