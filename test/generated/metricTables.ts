// The tables of metrics of all programs.

import { agentMetrics } from '../../agent/monitoring/agentMetrics.ts'
import type { AgentMetric } from '../../agent/monitoring/flumeMetrics.ts'
import { adminMetrics, consoleMetrics } from '../../broker/admin/consoleMetrics.ts'
import { brokerMetrics } from '../../broker/metrics/brokerMetrics.ts'
import { jobMetrics } from '../../engine/metrics/jobMetricTable.ts'
import { actorMetrics } from '../../protocol/actor/actorMetrics.ts'
import { lostLinesMetric } from '../../protocol/telemetry/logging/logLines.ts'
import type { MetricSpec } from '../../protocol/telemetry/metrics/metricSpec.ts'
import { processMetrics } from '../../protocol/telemetry/metrics/processMetrics.ts'

export interface MetricTable {
  /** The program or the part of programs that has these metrics: `Broker`. */
  readonly title: string
  readonly about: string
  readonly metrics: readonly (MetricSpec & Pick<AgentMetric, 'flumeName'>)[]
}

export const processTable: MetricTable = {
  title: 'Every program',
  about:
    "What the process takes, by the names of Prometheus's own clients, so that dashboards for Node work.",
  metrics: [...Object.values(processMetrics), lostLinesMetric],
}

export const brokerTable: MetricTable = {
  title: 'Broker',
  about:
    'Partitions, topics and consumer groups have the names of kafka_exporter, so that dashboards for it work.',
  metrics: brokerMetrics,
}

export const consoleTable: MetricTable = {
  title: 'Console and REST API',
  about:
    'Of `millrace broker`, `millrace admin` and the demo: who asks their HTTP address for what, and how long it takes. In Prometheus: `histogram_quantile(0.99, sum by (route, le) (rate(millrace_http_request_seconds_bucket[5m])))`.',
  metrics: Object.values(consoleMetrics),
}

export const adminTable: MetricTable = {
  title: 'millrace admin',
  about: 'What it knows of the cluster that it administers.',
  metrics: Object.values(adminMetrics),
}

export const agentTable: MetricTable = {
  title: 'Agent',
  about:
    "What Flume counts has Flume's name in Prometheus's form ([why](decisions/0038-names-of-metrics.md)); the page of Flume's own HTTP monitoring has the same counters under Flume's names.",
  metrics: agentMetrics,
}

export const jobTable: MetricTable = {
  title: 'Job',
  about:
    'The label `job_name` is not called `job`, because Prometheus gives that label to what it scrapes.',
  metrics: jobMetrics,
}

export const actorTable: MetricTable = {
  title: 'Actors',
  about:
    'The parts of an agent are actors. What counts for its sources, channels and sinks is above.',
  metrics: Object.values(actorMetrics),
}

export const metricTables: readonly MetricTable[] = [
  processTable,
  brokerTable,
  consoleTable,
  adminTable,
  agentTable,
  actorTable,
  jobTable,
]

/** The tables of the metrics that each program serves. */
export const tablesOfProgram = {
  broker: [processTable, brokerTable, consoleTable],
  agent: [processTable, agentTable, actorTable],
  job: [processTable, jobTable],
  demo: metricTables.filter((table) => table !== adminTable),
  admin: [processTable, consoleTable, adminTable],
} as const satisfies Record<string, readonly MetricTable[]>

export const allMetrics: readonly MetricSpec[] = metricTables.flatMap(({ metrics }) => metrics)
