// The table of an agent's metrics: Flume's counters under Flume's names (flumeMetrics.ts), and all
// others as `millrace_agent_...`.

import {
  labelText,
  latencyBucketsSeconds,
  type Metrics,
} from '../../protocol/telemetry/metrics/metrics.ts'
import type { AgentFigures } from './agentFigures.ts'
import {
  type AgentMetric,
  componentLabels,
  flumeMetricTable,
  legend,
  msPerSecond,
} from './flumeMetrics.ts'

function ownMetric<Component extends { readonly name: string }>(
  components: (agent: AgentFigures) => readonly Component[],
  spec: Omit<AgentMetric, 'read' | 'readHistogram' | 'labels'>,
  of: (component: Component) => number | undefined,
): AgentMetric {
  return {
    ...spec,
    labels: componentLabels,
    read(agent, sample) {
      for (const component of components(agent)) {
        const value = of(component)
        if (value === undefined) continue
        sample(labelText({ agent: agent.name, component: component.name }), value)
      }
    },
  }
}

const ownMetrics: readonly AgentMetric[] = [
  ownMetric(
    ({ sources }) => sources,
    {
      name: 'millrace_agent_source_read_bytes_total',
      type: 'counter',
      help: 'Bytes that a source has read and put into its channels.',
      panels: [
        {
          ...{ row: 'Sources', title: 'Bytes read', legend, unit: 'Bps' },
          query: 'rate($metric[$__rate_interval])',
        },
      ],
    },
    ({ progress }) => progress.bytesRead,
  ),
  ownMetric(
    ({ sources }) => sources,
    {
      name: 'millrace_agent_source_files',
      type: 'gauge',
      help: 'Files that a taildir source follows.',
      panels: [
        { row: 'Sources', title: 'Files followed', query: '$metric', legend, unit: 'short' },
      ],
    },
    ({ progress }) => progress.tailed?.().files,
  ),
  ownMetric(
    ({ sources }) => sources,
    {
      name: 'millrace_agent_source_unreadable_files',
      type: 'gauge',
      help: 'Files of a taildir source that cannot be opened or read now.',
      alerts: [
        {
          name: 'MillraceAgentFilesUnreadable',
          expression: '$metric > 0',
          for: '10m',
          severity: 'warning',
          summary:
            'Source {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} cannot read {{ $value }} files.',
          action:
            "The agent's log names each file and the reason: usually the agent's user has no permission to read it. Grant it, or exclude the file from the file group.",
        },
      ],
    },
    ({ progress }) => progress.tailed?.().unreadable,
  ),
  ownMetric(
    ({ sources }) => sources,
    {
      name: 'millrace_agent_source_unread_bytes',
      type: 'gauge',
      help: 'Bytes in the files of a taildir source that it has not read yet, as of its last scan of the files.',
      panels: [
        { row: 'Sources', title: 'Bytes not read yet', query: '$metric', legend, unit: 'bytes' },
      ],
      alerts: [
        {
          name: 'MillraceAgentSourceFallsBehind',
          expression: '$metric > 64 * 1024 * 1024 and deriv($metric[15m]) > 0',
          for: '15m',
          severity: 'warning',
          summary:
            'Source {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} has {{ $value | humanize1024 }}B of its files to read, and the backlog grows.',
          action:
            'Check flume_channel_fill_ratio of its channels: a full channel means that the sinks are too slow. Otherwise the source is: raise its batchSize, or divide the files between several sources. A file that is deleted before it is read is lost.',
        },
      ],
    },
    ({ progress }) => progress.tailed?.().bytesBehind,
  ),
  ownMetric(
    (agent) => agent.channels,
    {
      name: 'millrace_agent_channel_oldest_event_age_seconds',
      type: 'gauge',
      help: 'Time since the oldest event in a channel was put; after a restart, since the channel was opened. 0 when it is empty.',
      panels: [
        { row: 'Channels', title: 'Age of the oldest event', query: '$metric', legend, unit: 's' },
      ],
    },
    ({ oldestEventMs }) => oldestEventMs / msPerSecond,
  ),
  ownMetric(
    (agent) => agent.channels,
    {
      name: 'millrace_agent_channel_stalled_seconds',
      type: 'gauge',
      help: 'Time for which a channel has held events and none has left; 0 when it is empty.',
      panels: [
        { row: 'Channels', title: 'Held without draining', query: '$metric', legend, unit: 's' },
      ],
      alerts: [
        {
          name: 'MillraceAgentChannelNotDraining',
          expression: '$metric > 300',
          for: '1m',
          severity: 'critical',
          summary:
            'Channel {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} has held events for {{ $value | humanizeDuration }} and none has left.',
          action:
            "Check the messages of the channel's sinks in the agent's log: they say why events cannot be delivered and what to do (broker unreachable, topic does not exist, not authorized, disk of the broker full). No event is lost while the channel has room.",
        },
      ],
    },
    ({ stalledMs }) => stalledMs / msPerSecond,
  ),
  ownMetric(
    (agent) => agent.channels,
    {
      name: 'millrace_agent_channel_puts_waiting',
      type: 'gauge',
      help: 'Puts of sources that wait for room in a channel.',
    },
    ({ pendingPuts }) => pendingPuts,
  ),
  ownMetric(
    (agent) => agent.channels,
    {
      name: 'millrace_agent_channel_writes_pending',
      type: 'gauge',
      help: 'Operations of a file channel that wait for the next write to its log; 0 for a memory channel.',
    },
    ({ pendingWrites }) => pendingWrites,
  ),
  {
    name: 'millrace_agent_delivery_delay_seconds',
    type: 'histogram',
    help: 'Time from the put of an event to its delivery (for a Kafka sink: its acknowledgement), of the oldest event of each transaction of a sink.',
    labels: componentLabels,
    buckets: latencyBucketsSeconds,
    panels: [
      {
        ...{ row: 'Sinks', title: 'Delay from line to acknowledgement, 99th percentile' },
        query:
          'histogram_quantile(0.99, sum by (le, instance, agent, component) (rate($metric_bucket[$__rate_interval])))',
        ...{ legend, unit: 's' },
      },
    ],
    alerts: [
      {
        name: 'MillraceAgentDeliverySlow',
        expression:
          'histogram_quantile(0.99, sum by (le, instance, agent, component) (rate($metric_bucket[5m]))) > 30',
        for: '10m',
        severity: 'warning',
        summary:
          'Events of sink {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} take more than 30 s from the source to the acknowledgement of the broker.',
        action:
          'Check flume_channel_size: events that wait in the channel mean that the sink is slower than the source. If the channel is almost empty, check the produce latency of the broker and kafka.producer.linger.ms of the sink.',
      },
    ],
    readHistogram(agent, write) {
      for (const { name, progress } of agent.sinks) {
        write(labelText({ agent: agent.name, component: name }), progress.deliveryDelay)
      }
    },
  },
  {
    name: 'millrace_agent_component_restarts_total',
    type: 'counter',
    help: 'Restarts of a source or a sink after a failure.',
    labels: ['agent', 'kind', 'component'],
    panels: [
      {
        ...{ row: 'Agents', title: 'Restarts of components', unit: 'short' },
        query: 'increase($metric[$__rate_interval])',
        legend: '{{instance}} {{agent}} {{kind}} {{component}}',
      },
    ],
    alerts: [
      {
        name: 'MillraceAgentComponentRestarts',
        expression: 'increase($metric[15m]) > 3',
        for: '5m',
        severity: 'warning',
        summary:
          'The {{ $labels.kind }} {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} has failed {{ $value | humanize }} times in 15 minutes.',
        action:
          "The agent's log has the error of each failure. A failure that recurs at once is usually one of configuration, permissions or the disk.",
      },
    ],
    read({ name, sources, sinks }, sample) {
      for (const [kind, components] of [
        ['source', sources],
        ['sink', sinks],
      ] as const) {
        for (const { name: component, restarts } of components) {
          sample(labelText({ agent: name, kind, component }), restarts)
        }
      }
    },
  },
]

export const agentMetrics: readonly AgentMetric[] = [...flumeMetricTable, ...ownMetrics]

/**
 * Exposes the agent that `agent` returns at each scrape, so that the series follow an agent that
 * was restarted with a changed configuration; none while it returns undefined. Returns a function
 * that removes the metrics.
 */
export function exposeAgent(
  metrics: Metrics,
  agent: () => { figures(): AgentFigures } | undefined,
): () => void {
  const ends = agentMetrics.map((metric) => {
    const { read, readHistogram } = metric
    if (readHistogram !== undefined) {
      return metrics.collectedHistogram(metric, (write) => {
        const figures = agent()?.figures()
        if (figures !== undefined) readHistogram(figures, write)
      })
    }
    return metrics.collected(metric, (sample) => {
      const figures = agent()?.figures()
      if (figures !== undefined) read?.(figures, sample)
    })
  })
  return () => {
    for (const end of ends) end()
  }
}
