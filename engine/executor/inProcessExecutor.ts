// An executor in the driver's own thread, with a graph of its own as if it were elsewhere: for
// tests and for jobs too small to be worth a thread.

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
}

export function inProcessExecutors(options: InProcessOptions): StartExecutor {
  return (_slot, listener) => {
    const graph = new StreamGraph(options.job, options)
    const runner = new TaskRunner(graph, options.createScanner(), options.createStates())
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
