// A job that runs nothing, for tests of the code around a job.

import type {
  RunningJob,
  SavepointReport,
  StatePage,
  StateRequest,
  StopOptions,
} from '../../engine/lifecycle/runningJob.ts'
import { JobCounts, type JobFigures } from '../../engine/metrics/jobFigures.ts'
import type { JobStatus } from '../../protocol/telemetry/status/status.ts'

export class FakeJob implements RunningJob {
  readonly name = 'words'
  readonly finished: Promise<void>
  readonly stops: StopOptions[] = []
  readonly requests: StateRequest[] = []
  address: string | undefined
  queryState: ((request: StateRequest) => Promise<StatePage>) | undefined
  savepoint: ((target: string) => Promise<SavepointReport>) | undefined
  readonly #ended = Promise.withResolvers<void>()

  constructor() {
    this.finished = this.#ended.promise
  }

  async stop(options: StopOptions = {}): Promise<void> {
    this.stops.push(options)
    this.#ended.resolve()
  }

  status(): JobStatus {
    return {
      ...{ kind: 'job', id: 'job/words/01234567', name: 'words', timeMs: 1, state: 'running' },
      ...{ topics: ['words'], batchIntervalMs: 100, lagRecords: 3, recordsTotal: 4, batches: [] },
      views: [],
      progress: { text: 'batch 17 for 60 s', batchId: 17, sinceMs: 1 },
    }
  }

  figures(): JobFigures {
    return {
      ...new JobCounts(-1).figures(1, 3),
      ...{ name: 'words', state: 'running', timeMs: 1, startedMs: 0, batchIntervalMs: 100 },
      ...{ isWaiting: false, runningSinceMs: 1, recordsTotal: 4, lagRecords: 3, lateRows: 0 },
      ...{ lostRecords: 0, watermarks: {}, recordsPerSecond: undefined, checkpointBytes: 0 },
      tasks: { finished: 0, failed: 0, retried: 0, executors: 1, executorsLost: 0 },
    }
  }

  onBatch(): () => void {
    return () => {}
  }

  announce(address: string | undefined): void {
    this.address = address
  }

  describe() {
    return {
      ...{ name: 'words', instance: '01234567', directory: '/jobs/words', partitions: 2 },
      ...{ topics: ['words'], batchIntervalMs: 100, code: 'f'.repeat(64) },
      operators: [
        {
          ...{ uid: 'counts', isNamed: true, kind: 'updateStateByKey', shape: '' },
          ...{ codec: 'v8', partitions: 2 },
        },
      ],
    }
  }
}
