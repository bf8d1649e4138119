// The terminal of a submitted job: the line that reports that the job runs, and the stop by
// signals.

import { onStopSignals } from '../../protocol/commandLine/stopSignals.ts'
import { type HostedJob, type JobHost, stopTimeoutMs } from '../process/jobHost.ts'
import type { SubmitArguments } from '../process/submitArguments.ts'

/** Returns the line on standard output that says where the job is reachable. */
export function runningLine({ job, url }: HostedJob, args: SubmitArguments): string {
  const { executors = 2, bootstrap } = args
  return `millrace job ${job.name} running at ${url}, ${executors} executors, reading from ${bootstrap}`
}

/** The first signal stops the job after its current batch, the second one immediately. */
export function stopOnSignals(host: Pick<JobHost<unknown>, 'stop'>, onStop = () => {}): void {
  onStopSignals((earlier) => {
    const graceful = earlier === 0
    if (graceful) process.stderr.write(`${stopping}\n`)
    host.stop({ graceful, timeoutMs: stopTimeoutMs })
    onStop()
  })
}

const stopping =
  `millrace job: stopping after the current batch, at most ${stopTimeoutMs / 1000} s from now; ` +
  'a second signal stops immediately'
