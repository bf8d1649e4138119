// The health reason codes of a job's process. docs/logs-and-health.md lists them.

import type { ReasonSpec } from '../../protocol/operations/health.ts'

export const jobReasons = {
  STARTING: {
    kind: 'not ready',
    meaning: 'The job is starting, or is being replaced by its next version (--watch).',
  },
  STOPPING: {
    kind: 'not ready',
    meaning: 'The job is stopping; the running batch is finished first.',
  },
  JOB_FAILED: {
    kind: 'unhealthy',
    meaning: 'The job has failed. With --watch, its process waits for a change of the code.',
  },
  DRIVER_HELD: {
    kind: 'not ready',
    meaning:
      "The job's code is blocking the driver's thread, so no batch can end. Clears by itself when the code returns.",
  },
  DRIVER_STUCK: {
    kind: 'unhealthy',
    meaning:
      "The driver's thread has been blocked for a minute or longer, probably by an endless loop.",
  },
  TOPICS_UNREADABLE: {
    kind: 'not ready',
    meaning: 'The topics cannot be read, so no batch can be planned; retried continually.',
  },
  OUTPUT_FAILING: {
    kind: 'not ready',
    meaning: 'A function of foreachRDD fails and is being retried, as configured by the job.',
  },
  TASKS_RETRIED: {
    kind: 'warning',
    meaning:
      'Tasks of the running batch have failed and are being retried; after four failures of a task the job fails.',
  },
  BATCH_SLOW: {
    kind: 'warning',
    meaning: 'The running batch has taken longer than ten intervals, and at least 30 s.',
  },
  BEHIND: {
    kind: 'warning',
    meaning:
      'The newest batches started more than three intervals, and at least 10 s, later than planned: the job is slower than its input.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

export type JobReasonCode = keyof typeof jobReasons
