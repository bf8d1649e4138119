// The table of a job's metrics: names, help texts, panels, alerts, and how each is read.
// metrics.md, the dashboards and the alert rules are generated from it.

import {
  Distribution,
  type DistributionFigures,
} from '../../protocol/telemetry/metrics/distribution.ts'
import type { MetricSpec, PanelSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import {
  type DistributionWriter,
  labelText,
  latencyBucketsSeconds,
  type SampleWriter,
} from '../../protocol/telemetry/metrics/metrics.ts'
import { type BatchFigures, type JobFigures, recordBuckets } from './jobFigures.ts'

/** A metric, and how it is read from a job. */
export interface JobMetric extends MetricSpec {
  /** For all types except histograms. */
  read?(job: JobFigures, sample: SampleWriter): void
  /** For histograms. */
  readHistogram?(job: JobFigures, write: DistributionWriter): void
}

/** Not `job`, a label that Prometheus sets on every target. */
const jobLabels = ['job_name'] as const
const legend = '{{job_name}}'
const msPerSecond = 1000

type Spec = Omit<JobMetric, 'read' | 'readHistogram' | 'labels'>

/** A metric with one sample per job; no sample while the value is undefined. */
function single(spec: Spec, of: (job: JobFigures) => number | undefined): JobMetric {
  return {
    ...spec,
    labels: jobLabels,
    read(job, sample) {
      const value = of(job)
      if (value !== undefined) sample(labelText({ job_name: job.name }), value)
    },
  }
}

function distribution(
  spec: Omit<Spec, 'type'>,
  of: (batches: BatchFigures) => DistributionFigures,
): JobMetric {
  return {
    buckets: latencyBucketsSeconds,
    ...spec,
    type: 'histogram',
    labels: jobLabels,
    readHistogram: (job, write) =>
      write(labelText({ job_name: job.name }), Distribution.of(of(job.batches))),
  }
}

function quantile(row: string, title: string, of = 0.99): PanelSpec {
  return {
    ...{ row, title: `${title}, ${of * 100}th percentile`, legend, unit: 's' },
    query: `histogram_quantile(${of}, sum by (le, job_name) (rate($metric_bucket[$__rate_interval])))`,
  }
}

const batches: readonly JobMetric[] = [
  distribution(
    {
      name: 'millrace_job_batch_processing_seconds',
      help: 'Time that a batch ran, from its plan to its commit.',
      panels: [quantile('Batches', 'Processing time')],
      alerts: [
        {
          name: 'MillraceJobCannotKeepUp',
          expression:
            'rate($metric_sum[10m]) / rate($metric_count[10m]) > on (job_name, instance) group_left millrace_job_batch_interval_seconds',
          for: '10m',
          severity: 'warning',
          summary:
            'Batches of job {{ $labels.job_name }} have taken longer than the batch interval for 10 minutes, {{ $value | humanizeDuration }} on average.',
          action:
            'Check millrace_job_lag_seconds: if it does not grow, batches are large but the job keeps up. If it grows, give the job more executors or partitions, or make its functions cheaper; `millrace job list` shows the stage of the running batch.',
        },
      ],
    },
    ({ processingTime }) => processingTime,
  ),
  distribution(
    {
      name: 'millrace_job_batch_scheduling_delay_seconds',
      help: 'Time from the nominal time of a batch to the start of its run.',
      panels: [quantile('Batches', 'Scheduling delay')],
    },
    ({ schedulingDelay }) => schedulingDelay,
  ),
  distribution(
    {
      name: 'millrace_job_batch_total_delay_seconds',
      help: 'Time from the nominal time of a batch to its commit.',
      panels: [quantile('Batches', 'Total delay')],
    },
    ({ totalDelay }) => totalDelay,
  ),
  distribution(
    {
      name: 'millrace_job_record_latency_seconds',
      help: 'Time from the timestamp of the oldest record of a batch to the commit of the batch.',
      panels: [quantile('Batches', 'Latency from record to result')],
    },
    ({ latency }) => latency,
  ),
  distribution(
    {
      name: 'millrace_job_checkpoint_seconds',
      help: "Time to write the entries of a batch into the job's offset log and commit log.",
      panels: [quantile('Checkpoints and state', 'Checkpoint time')],
    },
    ({ checkpointTime }) => checkpointTime,
  ),
  distribution(
    {
      name: 'millrace_job_batch_records',
      help: 'Records read by a batch.',
      buckets: recordBuckets,
      panels: [
        {
          ...{ row: 'Batches', title: 'Records of a batch, on average', legend, unit: 'short' },
          query: 'rate($metric_sum[$__rate_interval]) / rate($metric_count[$__rate_interval])',
        },
      ],
    },
    ({ records }) => records,
  ),
  single(
    {
      name: 'millrace_job_batch_splits_total',
      type: 'counter',
      help: 'Batches that were too large and were planned again with half of their offsets.',
    },
    (job) => job.batches.splits,
  ),
  single(
    {
      name: 'millrace_job_batch_interval_seconds',
      type: 'gauge',
      help: 'Interval between batches.',
    },
    ({ batchIntervalMs }) => batchIntervalMs / msPerSecond,
  ),
  single(
    {
      name: 'millrace_job_batch_id',
      type: 'gauge',
      help: 'Id of the newest committed batch; -1 for none.',
    },
    ({ batchId }) => batchId,
  ),
  single(
    {
      name: 'millrace_job_last_commit_timestamp_seconds',
      type: 'gauge',
      help: 'When the newest batch was committed, in seconds since the epoch; absent until this process has committed one.',
    },
    ({ committedMs }) => (committedMs === undefined ? undefined : committedMs / msPerSecond),
  ),
  single(
    {
      name: 'millrace_job_batch_running_seconds',
      type: 'gauge',
      help: 'Time since the running batch started; 0 between batches.',
      panels: [
        { row: 'Batches', title: 'The batch that runs', query: '$metric', legend, unit: 's' },
      ],
      alerts: [
        {
          name: 'MillraceJobBatchHangs',
          expression: '$metric > 300',
          for: '1m',
          severity: 'critical',
          summary:
            'The batch of job {{ $labels.job_name }} has been running for {{ $value | humanizeDuration }}.',
          action:
            'GET /job/progress at the address of the job shows the stage and the task that it is waiting for. A task that does not end is terminated after taskTimeoutMs; a function of foreachRDD that waits for another system is not.',
        },
      ],
    },
    ({ runningSinceMs, timeMs }) =>
      runningSinceMs === undefined ? 0 : Math.max(0, timeMs - runningSinceMs) / msPerSecond,
  ),
]

const records: readonly JobMetric[] = [
  single(
    {
      name: 'millrace_job_records_total',
      type: 'counter',
      help: 'Records of all committed batches, since the job first started.',
      panels: [
        {
          ...{ row: 'Records', title: 'Records counted', legend, unit: 'cps' },
          query: 'rate($metric[$__rate_interval])',
        },
      ],
    },
    ({ recordsTotal }) => recordsTotal,
  ),
  single(
    {
      name: 'millrace_job_lag_records',
      type: 'gauge',
      help: 'Records in the topics beyond the newest committed batch, as of the newest plan.',
      panels: [{ row: 'Records', title: 'Lag', query: '$metric', legend, unit: 'short' }],
    },
    ({ lagRecords }) => lagRecords,
  ),
  single(
    {
      name: 'millrace_job_lag_seconds',
      type: 'gauge',
      help: 'Age of the oldest record of the newest committed batch while records are waiting, an upper bound on the lag of the job; 0 when no records are waiting.',
      panels: [{ row: 'Records', title: 'Lag in time', query: '$metric', legend, unit: 's' }],
      alerts: [
        {
          name: 'MillraceJobFallsBehind',
          expression: '$metric > 60 and delta($metric[10m]) > 0',
          for: '10m',
          severity: 'warning',
          summary:
            'Job {{ $labels.job_name }}  humanizeDuration }} behind its topics, and falls back further.|is {{ $value | humanizeDuration }} behind its topics, and the lag is growing.| humanizeDuration }} behind its topics, and falls back further.',
          action:
            'Look at millrace_job_batch_processing_seconds and at millrace_job_rate_limit_records_per_second: a bound on the rate holds a job back that could be faster. Otherwise give it more executors, or look for the operator that takes the time (`millrace job list`). Records that retention removes before they are read are lost.',
        },
      ],
    },
    ({ lagMs }) => lagMs / msPerSecond,
  ),
  single(
    {
      name: 'millrace_job_rate_limit_records_per_second',
      type: 'gauge',
      help: 'Rate to which backpressure limits batches; absent while it limits none.',
      panels: [
        {
          row: 'Records',
          title: 'Rate limit of backpressure',
          query: '$metric',
          legend,
          unit: 'cps',
        },
      ],
    },
    ({ recordsPerSecond }) => recordsPerSecond,
  ),
  {
    name: 'millrace_job_rejected_records_total',
    type: 'counter',
    help: 'Records rejected because they failed, by policy (`skip`, `dead_letter`), since the process started.',
    labels: ['job_name', 'topic', 'policy'],
    panels: [
      {
        ...{ row: 'Records', title: 'Rejected records', unit: 'cps' },
        query: 'rate($metric[$__rate_interval])',
        legend: '{{job_name}} {{topic}} {{policy}}',
      },
    ],
    alerts: [
      {
        name: 'MillraceJobRejectsRecords',
        expression: 'increase($metric[10m]) > 0',
        for: '5m',
        severity: 'warning',
        summary:
          'Job {{ $labels.job_name }} rejects records of topic {{ $labels.topic }} ({{ $labels.policy }}): {{ $value | humanize }} in 10 minutes.',
        action:
          "The job's log and its page show the first few with partition, offset and error. Records in a dead letter topic can be read from there, corrected and produced again; records that were skipped are not counted.",
      },
    ],
    read({ name: job_name, rejected }, sample) {
      for (const { topic, policy, records: count } of rejected) {
        sample(labelText({ job_name, topic, policy }), count)
      }
    },
  },
  single(
    {
      name: 'millrace_job_lost_records_total',
      type: 'counter',
      help: 'Offsets removed from the topics before the job had read them, since the process started.',
      alerts: [
        {
          name: 'MillraceJobLosesRecords',
          // The second part covers a loss in the first batch after a start, before the first
          // scrape: the usual case.
          expression: 'increase($metric[1h]) > 0 or ($metric > 0 unless $metric offset 1h)',
          for: '0m',
          severity: 'critical',
          summary:
            'Topics of job {{ $labels.job_name }} lost {{ $value | humanize }} offsets within the last hour before the job had read them.',
          action:
            'Retention removes records faster than the job reads them: raise retention.ms or retention.bytes of the topic, and find out why the job is behind. The log of the job names the topic, partition and offsets.',
        },
      ],
    },
    ({ lostRecords }) => lostRecords,
  ),
  single(
    {
      name: 'millrace_job_late_rows_total',
      type: 'counter',
      help: 'Rows behind the watermark, in event time, since the process started.',
      panels: [
        {
          ...{ row: 'Records', title: 'Late rows', legend, unit: 'cps' },
          query: 'rate($metric[$__rate_interval])',
        },
      ],
    },
    ({ lateRows }) => lateRows,
  ),
  {
    name: 'millrace_job_watermark_lag_seconds',
    type: 'gauge',
    help: 'How far a watermark is behind the wall clock.',
    labels: ['job_name', 'watermark'],
    panels: [
      {
        ...{ row: 'Records', title: 'Watermarks behind the clock', unit: 's' },
        query: '$metric',
        legend: '{{job_name}} {{watermark}}',
      },
    ],
    read({ name: job_name, watermarks, timeMs }, sample) {
      for (const [watermark, at] of Object.entries(watermarks)) {
        sample(labelText({ job_name, watermark }), (timeMs - at) / msPerSecond)
      }
    },
  },
]

const states: readonly JobMetric[] = [
  {
    name: 'millrace_job_state_rows',
    type: 'gauge',
    help: 'Keys with a value in the state of an operator, by partition; no samples for a state created by a release that did not record sizes.',
    labels: ['job_name', 'operator', 'partition'],
    panels: [
      {
        ...{ row: 'Checkpoints and state', title: 'Rows of state', unit: 'short' },
        query: 'sum by (job_name, operator) ($metric)',
        legend: '{{job_name}} {{operator}}',
      },
    ],
    read({ name: job_name, states: all }, sample) {
      for (const { operator, partition, rows } of all) {
        sample(labelText({ job_name, operator, partition }), rows)
      }
    },
  },
  {
    name: 'millrace_job_state_bytes',
    type: 'gauge',
    help: 'Bytes of encoded keys and values in the state of an operator, by partition, without timers; no samples for a state created by a release that did not record sizes.',
    labels: ['job_name', 'operator', 'partition'],
    panels: [
      {
        ...{ row: 'Checkpoints and state', title: 'Bytes of state', unit: 'bytes' },
        query: 'sum by (job_name, operator) ($metric)',
        legend: '{{job_name}} {{operator}}',
      },
    ],
    read({ name: job_name, states: all }, sample) {
      for (const { operator, partition, bytes } of all) {
        sample(labelText({ job_name, operator, partition }), bytes)
      }
    },
  },
  single(
    {
      name: 'millrace_job_checkpoint_bytes',
      type: 'gauge',
      help: "Size of the files of the job's offset log and commit log.",
      panels: [
        {
          ...{ row: 'Checkpoints and state', title: 'Offset log and commit log' },
          ...{ query: '$metric', legend, unit: 'bytes' },
        },
      ],
    },
    ({ checkpointBytes }) => checkpointBytes,
  ),
]

const tasks: readonly JobMetric[] = [
  single(
    {
      name: 'millrace_job_tasks_finished_total',
      type: 'counter',
      help: 'Finished tasks whose results were used.',
      panels: [
        {
          ...{ row: 'Tasks and executors', title: 'Tasks', legend, unit: 'cps' },
          query: 'rate($metric[$__rate_interval])',
        },
      ],
    },
    (job) => job.tasks.finished,
  ),
  single(
    {
      name: 'millrace_job_tasks_failed_total',
      type: 'counter',
      help: 'Task attempts that failed or timed out.',
      panels: [
        {
          ...{ row: 'Tasks and executors', title: 'Failed tasks', legend, unit: 'short' },
          query: 'increase($metric[$__rate_interval])',
        },
      ],
      alerts: [
        {
          name: 'MillraceJobTasksFail',
          expression: 'increase($metric[15m]) > 3',
          for: '5m',
          severity: 'warning',
          summary:
            'Tasks of job {{ $labels.job_name }} have failed {{ $value | humanize }} times in 15 minutes.',
          action:
            'A task that fails four times fails the job. The log of the job has the errors; GET /job/progress shows the operator that is being retried.',
        },
      ],
    },
    (job) => job.tasks.failed,
  ),
  single(
    {
      name: 'millrace_job_tasks_retried_total',
      type: 'counter',
      help: 'Task attempts after the first one.',
    },
    (job) => job.tasks.retried,
  ),
  single(
    {
      name: 'millrace_job_executors',
      type: 'gauge',
      help: 'Configured number of executors.',
    },
    (job) => job.tasks.executors,
  ),
  single(
    {
      name: 'millrace_job_executors_lost_total',
      type: 'counter',
      help: 'Executors that died, or were terminated because a task timed out.',
      panels: [
        {
          ...{ row: 'Tasks and executors', title: 'Lost executors', legend, unit: 'short' },
          query: 'increase($metric[$__rate_interval])',
        },
      ],
      alerts: [
        {
          name: 'MillraceJobLosesExecutors',
          expression: 'increase($metric[15m]) > 2',
          for: '0m',
          severity: 'warning',
          summary:
            'Job {{ $labels.job_name }} has lost {{ $value | humanize }} executors in 15 minutes.',
          action:
            "Look at the log of the job: an executor dies for lack of memory (executorMemoryMb) or because of the job's code, and is terminated when a task exceeds taskTimeoutMs. Its tasks are retried.",
        },
      ],
    },
    (job) => job.tasks.executorsLost,
  ),
]

const jobStates = ['running', 'stopped', 'failed'] as const

const life: readonly JobMetric[] = [
  {
    name: 'millrace_job_state',
    type: 'gauge',
    help: '1 for the current state of the job (`running`, `stopped`, `failed`), 0 for the others.',
    labels: ['job_name', 'state'],
    alerts: [
      {
        name: 'MillraceJobFailed',
        expression: '$metric{state="failed"} == 1',
        for: '0m',
        severity: 'critical',
        summary: 'Job {{ $labels.job_name }} has failed.',
        action:
          'The log of the job and its status name the record or operator, and the error. Once the cause is fixed, restart it with the same directory: it continues from the batch that failed.',
      },
    ],
    read({ name: job_name, state: now }, sample) {
      for (const state of jobStates) sample(labelText({ job_name, state }), Number(state === now))
    },
  },
  single(
    {
      name: 'millrace_job_waiting',
      type: 'gauge',
      help: '1 while no batch can be planned because the topics cannot be read.',
      alerts: [
        {
          name: 'MillraceJobCannotReadTopics',
          expression: '$metric == 1',
          for: '5m',
          severity: 'critical',
          summary: 'Job {{ $labels.job_name }} has not been able to read its topics for 5 minutes.',
          action:
            "The job's status (`waiting`) and its log give the reason: the brokers are unavailable, or a topic does not exist. The job continues by itself when they are back.",
        },
      ],
    },
    ({ isWaiting }) => Number(isWaiting),
  ),
  single(
    {
      name: 'millrace_job_start_time_seconds',
      type: 'gauge',
      help: 'When this process started the job, in seconds since the epoch.',
    },
    ({ startedMs }) => startedMs / msPerSecond,
  ),
]

/** Written by the exposition, not by the driver, which may be blocked. */
export const driverUpMetric: MetricSpec = {
  name: 'millrace_job_driver_up',
  type: 'gauge',
  help: "1 when the driver of the job answered this scrape; 0 when it is blocked by the job's code or has ended. The other metrics of the job are absent then.",
  panels: [
    {
      row: 'Jobs',
      title: 'Driver answers',
      query: '$metric',
      legend: '{{instance}}',
      unit: 'short',
    },
  ],
  alerts: [
    {
      name: 'MillraceJobDriverHeld',
      expression: '$metric == 0',
      for: '5m',
      severity: 'critical',
      summary: 'The driver of the job at {{ $labels.instance }} has not answered for 5 minutes.',
      action:
        "The job's code is blocking the driver's thread (an endless loop in foreachRDD?), or the job has ended. A stop terminates the thread; the batch is rerun at the next start.",
    },
  ],
}

export const readMetrics: readonly JobMetric[] = [
  ...life,
  ...batches,
  ...records,
  ...states,
  ...tasks,
]

export const jobMetrics: readonly MetricSpec[] = [driverUpMetric, ...readMetrics]
