// The codes with which the process of a job says what is not well. docs/logs-and-health.md lists them.

import type { ReasonSpec } from '../protocol/operations/health.ts'

export const jobReasons = {
  STARTING: {
    kind: 'not ready',
    meaning: 'The job is being started, or exchanged for its next version (--watch).',
  },
  STOPPING: {
    kind: 'not ready',
    meaning: 'The job was told to stop: the batch that runs is finished first.',
  },
  JOB_FAILED: {
    kind: 'unhealthy',
    meaning: 'The job has failed. With --watch its process waits for a change of the code.',
  },
  DRIVER_HELD: {
    kind: 'not ready',
    meaning:
      "The job's code does not let go of the driver's thread, so no batch can end. Ends by itself when the code does.",
  },
  DRIVER_STUCK: {
    kind: 'unhealthy',
    meaning: "The driver's thread has been held for a minute or longer: probably an endless loop.",
  },
  TOPICS_UNREADABLE: {
    kind: 'not ready',
    meaning: 'The topics cannot be read, so no batch can be planned; tried until they can.',
  },
  OUTPUT_FAILING: {
    kind: 'not ready',
    meaning: 'A function of foreachRDD fails and is called again, as the job asks for.',
  },
  TASKS_RETRIED: {
    kind: 'warning',
    meaning:
      'Tasks of the batch that runs have failed and run again; after four failures the job fails.',
  },
  BATCH_SLOW: {
    kind: 'warning',
    meaning: 'The batch that runs takes longer than ten intervals, and 30 s at least.',
  },
  BEHIND: {
    kind: 'warning',
    meaning:
      'The newest batches began more than three intervals, and 10 s at least, later than planned: the job is slower than its input.',
  },
} as const satisfies Readonly<Record<string, ReasonSpec>>

export type JobReasonCode = keyof typeof jobReasons
