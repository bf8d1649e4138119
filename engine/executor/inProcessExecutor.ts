// An executor in the driver's own thread, with its own graph, as in a thread of its own: for tests
// and for small jobs.

import type { Scheduler } from '../../protocol/runtime/scheduling/scheduler.ts'
import type { Scanner } from '../sources/topicScanner.ts'
import type { Job } from '../stream/job.ts'
import { StreamGraph } from '../stream/streamGraph.ts'
import type { StateStores } from './stateStores.ts'
import type { StartExecutor } from './task.ts'
import { TaskRunner } from './taskRunner.ts'

export interface InProcessOptions {
  readonly job: Job
  readonly batchIntervalMs: number
  createScanner(): Scanner
  createStates(): StateStores
  readonly scheduler: Scheduler
}

export function inProcessExecutors(options: InProcessOptions): StartExecutor {
  return (_slot, listener) => {
    const graph = new StreamGraph(options.job, options)
    const runner = new TaskRunner({
      graph,
      scanner: options.createScanner(),
      states: options.createStates(),
      scheduler: options.scheduler,
    })
    let isStopped = false
    const running = new Set<Promise<void>>()
    return Promise.resolve({
      addBatch: (batch) => runner.addBatch(batch),
      run(tasks) {
        const run = runner
          .run(tasks, (report) => {
            if (!isStopped) listener.onReport(report)
          })
          .finally(() => running.delete(run))
        running.add(run)
      },
      query: (query) => runner.query(query),
      releaseStates: () => runner.releaseStates(),
      async stop() {
        isStopped = true
        await Promise.all(running)
        await runner.close()
      },
    })
  }
}
