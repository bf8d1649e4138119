// The metrics of `millrace admin` about its cluster.

import type { Metrics } from '../../protocol/telemetry/metrics/metrics.ts'
import { adminMetrics } from './consoleMetrics.ts'
import type { SampledTopics } from './sampledTopics.ts'

export function exposeSampledTopics(metrics: Metrics, topics: SampledTopics): void {
  metrics.collected(adminMetrics.reachable, (sample) => {
    sample('', topics.problem === undefined ? 1 : 0)
  })
  metrics.collected(adminMetrics.topicsAge, (sample) => {
    const { ageMs } = topics
    if (ageMs !== undefined) sample('', ageMs / 1_000)
  })
  metrics.collected(adminMetrics.topics, (sample) => sample('', topics.count))
}
