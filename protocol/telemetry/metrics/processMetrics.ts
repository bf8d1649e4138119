// The metrics of the process, the same in every program, under the names of Prometheus' clients
// (process_*) and of prom-client (nodejs_*), so that existing Node dashboards work. prom-client's
// own collectors are not used: their event loop sampler takes half a percent of a core of an idle
// process, and its delays include the 10 ms between samples.

import type { CollectionKind, ProcessFigures } from '../../runtime/process/processFigures.ts'
import type { BuildInfo } from './buildInfo.ts'
import type { MetricSpec } from './metricSpec.ts'
import { Distribution, labelText, type Metrics, type SampleWriter } from './metrics.ts'

export const processMetrics = {
  build: {
    name: 'millrace_build_info',
    type: 'gauge',
    help: '1, with the version, the Git commit (empty in a checkout) and the program as labels.',
    labels: ['program', 'version', 'commit'],
  },
  node: {
    name: 'nodejs_version_info',
    type: 'gauge',
    help: '1, with the version of Node as labels.',
    labels: ['version', 'major', 'minor', 'patch'],
  },
  start: {
    name: 'process_start_time_seconds',
    type: 'gauge',
    help: 'Start of the process, in seconds since the epoch.',
  },
  cpu: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'CPU time of the process, in user and in system mode.',
    panels: [
      {
        row: 'Process',
        title: 'CPU',
        query: 'rate($metric[$__rate_interval])',
        unit: 'percentunit',
        legend: '{{instance}}',
      },
    ],
  },
  cpuUser: {
    name: 'process_cpu_user_seconds_total',
    type: 'counter',
    help: 'CPU time of the process in user mode.',
  },
  cpuSystem: {
    name: 'process_cpu_system_seconds_total',
    type: 'counter',
    help: 'CPU time of the process in system mode.',
  },
  resident: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the process.',
    panels: [
      { row: 'Process', title: 'Memory', query: '$metric', unit: 'bytes', legend: '{{instance}}' },
    ],
  },
  openFiles: {
    name: 'process_open_fds',
    type: 'gauge',
    help: 'Open file descriptors, including connections; no sample if the system does not report them.',
    panels: [
      {
        row: 'Process',
        title: 'Open files',
        query: '$metric',
        unit: 'short',
        legend: '{{instance}}',
      },
    ],
    alerts: [
      {
        name: 'MillraceFileDescriptorsRunOut',
        expression: '$metric / process_max_fds > 0.8',
        for: '10m',
        severity: 'warning',
        summary:
          '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its file descriptors.',
        action:
          'Raise the limit of open files of the service (LimitNOFILE), or find clients that open too many connections.',
      },
    ],
  },
  maxFiles: {
    name: 'process_max_fds',
    type: 'gauge',
    help: 'Limit of open file descriptors; no sample if there is no limit.',
  },
  heapTotal: {
    name: 'nodejs_heap_size_total_bytes',
    type: 'gauge',
    help: 'Size of the JavaScript heap.',
  },
  heapUsed: {
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    help: 'Used part of the JavaScript heap.',
    panels: [
      { row: 'Process', title: 'Heap', query: '$metric', unit: 'bytes', legend: '{{instance}}' },
    ],
    alerts: [
      {
        name: 'MillraceHeapAlmostFull',
        expression: 'min_over_time($metric[10m]) / nodejs_heap_size_limit_bytes > 0.9',
        for: '5m',
        severity: 'critical',
        summary:
          'The heap of {{ $labels.instance }} has not been below {{ $value | humanizePercentage }} of its limit for 10 minutes.',
        action:
          'The process ends when the heap is full. Give it more (NODE_OPTIONS=--max-old-space-size), and check what has grown: partitions, groups, or the state of a job.',
      },
    ],
  },
  heapLimit: {
    name: 'nodejs_heap_size_limit_bytes',
    type: 'gauge',
    help: 'Limit of the JavaScript heap, at which the process ends.',
  },
  external: {
    name: 'nodejs_external_memory_bytes',
    type: 'gauge',
    help: 'Memory outside of the JavaScript heap held by JavaScript objects, mostly buffers.',
  },
  loopActive: {
    name: 'nodejs_eventloop_active_seconds_total',
    type: 'counter',
    help: "Time that the event loop was not waiting for events; its rate is the utilization of the program's one core.",
  },
  loopDelayP50: {
    name: 'nodejs_eventloop_lag_p50_seconds',
    type: 'gauge',
    help: 'Median event loop delay since an earlier scrape (at least 10 s of samples, one every 100 ms).',
  },
  loopDelayP99: {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    help: '99th percentile of the event loop delay over the same time.',
    panels: [
      {
        row: 'Process',
        title: 'Event loop delay, 99th percentile',
        query: '$metric',
        unit: 's',
        legend: '{{instance}}',
      },
    ],
    alerts: [
      {
        name: 'MillraceEventLoopSlow',
        expression: '$metric > 0.5',
        for: '10m',
        severity: 'warning',
        summary:
          'The event loop of {{ $labels.instance }} is delayed by {{ $value | humanizeDuration }}.',
        action:
          "The program's core or the host is busy: check rate(nodejs_eventloop_active_seconds_total[5m]) and at the CPU of the host.",
      },
    ],
  },
  loopDelayMax: {
    name: 'nodejs_eventloop_lag_max_seconds',
    type: 'gauge',
    help: 'Maximum event loop delay over the same time.',
  },
  collections: {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    help: 'Duration of garbage collections by kind: major, minor, incremental or weakcb.',
    labels: ['kind'],
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
  },
} as const satisfies Record<string, MetricSpec>

export interface ProcessMetricsOptions {
  /** `broker`, `agent`, `job`, `admin` or `demo`. */
  readonly program: string
  readonly build: BuildInfo
  /** From processFigures(). */
  readonly figures: ProcessFigures
}

/**
 * Registers the metrics of the process. Returns a function that removes them and closes `figures`.
 */
export function exposeProcess(
  metrics: Metrics,
  { program, build, figures }: ProcessMetricsOptions,
): () => void {
  const { version, commit = '' } = build
  const spec = processMetrics
  const value = (metric: MetricSpec, read: () => number | undefined) =>
    metrics.collected(metric, (sample) => {
      const now = read()
      if (now !== undefined) sample('', now)
    })
  const collections = new Map<CollectionKind, Distribution>()
  // All three come from one measurement, since each may start a new interval.
  let delay = figures.loopDelay()
  const ends = [
    metrics.collected(spec.build, constant(labelText({ program, version, commit }))),
    metrics.collected(spec.node, constant(nodeLabels(figures.nodeVersion))),
    value(spec.start, () => figures.startSeconds),
    value(spec.cpu, () => {
      const { userSeconds, systemSeconds } = figures.cpu()
      return userSeconds + systemSeconds
    }),
    value(spec.cpuUser, () => figures.cpu().userSeconds),
    value(spec.cpuSystem, () => figures.cpu().systemSeconds),
    value(spec.resident, () => figures.residentBytes()),
    value(spec.openFiles, () => figures.openFiles()),
    value(spec.maxFiles, () => figures.maxOpenFiles()),
    value(spec.heapTotal, () => figures.heap().totalBytes),
    value(spec.heapUsed, () => figures.heap().usedBytes),
    value(spec.heapLimit, () => figures.heap().limitBytes),
    value(spec.external, () => figures.heap().externalBytes),
    value(spec.loopActive, () => figures.loopActiveSeconds()),
    metrics.onExpose(() => {
      delay = figures.loopDelay()
    }),
    value(spec.loopDelayP50, () => delay.p50Seconds),
    value(spec.loopDelayP99, () => delay.p99Seconds),
    value(spec.loopDelayMax, () => delay.maxSeconds),
    metrics.collectedHistogram(spec.collections, (sample) => {
      for (const [kind, distribution] of collections) sample(labelText({ kind }), distribution)
    }),
    figures.onCollection((kind, seconds) => {
      let distribution = collections.get(kind)
      if (!distribution) {
        distribution = new Distribution(spec.collections.buckets)
        collections.set(kind, distribution)
      }
      distribution.observe(seconds)
    }),
  ]
  return () => {
    for (const end of ends) end()
    figures.close()
  }
}

function constant(labels: string): (sample: SampleWriter) => void {
  return (sample) => sample(labels, 1)
}

function nodeLabels(version: string): string {
  const [major = '', minor = '', patch = ''] = version.replace(/^v/, '').split('.')
  return labelText({ version, major, minor, patch })
}
