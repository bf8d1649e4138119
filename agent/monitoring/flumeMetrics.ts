// Flume's counters as metrics, under Flume's names in Prometheus's form (docs/decisions/0038):
// `EventDrainSuccessCount` of a sink is `flume_sink_event_drain_success_total`. Counters that no
// component of this agent uses are omitted, although Flume's page has them.

import type {
  AlertSpec,
  MetricSpec,
  PanelSpec,
} from '../../protocol/telemetry/metrics/metricSpec.ts'
import {
  type DistributionWriter,
  labelText,
  type SampleWriter,
} from '../../protocol/telemetry/metrics/metrics.ts'
import type { AgentFigures, ChannelFigures, SinkFigures, SourceFigures } from './agentFigures.ts'
import { type ChannelCounter, FileChannelCounter, KafkaSinkCounter } from './counters.ts'

/** A metric and how it is read from an agent. */
export interface AgentMetric extends MetricSpec {
  /** Name of the counter at `/metrics` of Flume's HTTP monitoring. */
  readonly flumeName?: string
  /** Reads the samples of a counter or gauge. */
  read?(agent: AgentFigures, sample: SampleWriter): void
  /** Reads the distributions of a histogram. */
  readHistogram?(agent: AgentFigures, write: DistributionWriter): void
}

export const componentLabels = ['agent', 'component'] as const
export const msPerSecond = 1000

interface Shown {
  readonly panels?: readonly PanelSpec[]
  readonly alerts?: readonly AlertSpec[]
}

type Kind = 'source' | 'channel' | 'sink'

/**
 * `EventPutSuccessCount` of a channel -> `flume_channel_event_put_success_total`. Counts and
 * failures become totals, percentages become ratios, timers in ms become seconds; a repeated kind
 * is omitted.
 */
export function prometheusName(kind: Kind, flumeName: string): string {
  const words = flumeName
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/_count$/, '_total')
    .replace(/_fail$/, '_fail_total')
    .replace(/_percentage$/, '_ratio')
    .replace(/_timer$/, '_seconds_total')
  const isRepeated = words.startsWith(`${kind}_`)
  return `flume_${kind}_${isRepeated ? words.slice(kind.length + 1) : words}`
}

interface FlumeCounter<Component> extends Shown {
  /** Flume's name. */
  readonly name: string
  readonly help: string
  /** Returns the value; undefined for a component without this counter. */
  readonly of: (component: Component) => number | undefined
}

function flumeMetrics<Component extends { readonly name: string }>(
  kind: Kind,
  components: (agent: AgentFigures) => readonly Component[],
  counters: readonly FlumeCounter<Component>[],
): AgentMetric[] {
  return counters.map(({ name: flumeName, help, of, panels, alerts }) => {
    const name = prometheusName(kind, flumeName)
    return {
      ...{ name, flumeName, help, labels: componentLabels },
      type: name.endsWith('_total') ? 'counter' : 'gauge',
      ...(panels && { panels }),
      ...(alerts && { alerts }),
      read(agent, sample) {
        for (const component of components(agent)) {
          const value = of(component)
          if (value === undefined) continue
          sample(labelText({ agent: agent.name, component: component.name }), value)
        }
      },
    }
  })
}

export const legend = '{{instance}} {{agent}}/{{component}}'

const sourceMetrics = flumeMetrics<SourceFigures>('source', ({ sources }) => sources, [
  {
    name: 'EventReceivedCount',
    help: 'Events that a source has read or received.',
    of: ({ counter }) => counter.EventReceivedCount,
    panels: [
      {
        row: 'Sources',
        title: 'Events read',
        query: 'rate($metric[$__rate_interval])',
        legend,
        unit: 'eps',
      },
    ],
  },
  {
    name: 'EventAcceptedCount',
    help: 'Events of a source that all its required channels accepted.',
    of: ({ counter }) => counter.EventAcceptedCount,
  },
  {
    name: 'AppendBatchReceivedCount',
    help: 'Batches of events that a source has read or received.',
    of: ({ counter }) => counter.AppendBatchReceivedCount,
  },
  {
    name: 'AppendBatchAcceptedCount',
    help: 'Batches of events of a source that all its required channels accepted.',
    of: ({ counter }) => counter.AppendBatchAcceptedCount,
  },
  {
    name: 'EventReadFail',
    help: 'Failed reads of a source; they are retried.',
    of: ({ counter }) => counter.EventReadFail,
    panels: [
      {
        ...{ row: 'Sources', title: 'Read failures', unit: 'cps', legend },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
  },
  {
    name: 'ChannelWriteFail',
    help: 'Batches that a required channel refused because it was full or could not be written; they are retried.',
    of: ({ counter }) => counter.ChannelWriteFail,
    panels: [
      {
        ...{ row: 'Sources', title: 'Batches refused by a channel', unit: 'cps', legend },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
    alerts: [
      {
        name: 'MillraceAgentChannelRefusesEvents',
        expression: 'rate($metric[5m]) > 0',
        for: '10m',
        severity: 'warning',
        summary:
          'Source {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} has been refused by a channel for 10 minutes.',
        action:
          "Check flume_channel_fill_ratio: a full channel means that its sink is slower than the source or cannot deliver. Otherwise search the agent's log for CHANNEL_SPACE and CHANNEL_WRITE: the disk of the channel is full or failing. Taildir reads the lines again; a command blocks.",
      },
    ],
  },
])

/** A counter that only file channels have. */
function ofFileChannel(
  value: (counter: FileChannelCounter) => number,
): (channel: { readonly counter: ChannelCounter }) => number | undefined {
  return ({ counter }) => (counter instanceof FileChannelCounter ? value(counter) : undefined)
}

const channelMetrics = flumeMetrics<ChannelFigures>('channel', (agent) => agent.channels, [
  {
    name: 'ChannelSize',
    help: 'Events in a channel, including events that a sink has taken but not committed.',
    of: ({ counter }) => counter.ChannelSize,
    panels: [
      { row: 'Channels', title: 'Events in channels', query: '$metric', legend, unit: 'short' },
    ],
  },
  {
    name: 'ChannelCapacity',
    help: 'Maximum number of events in a channel.',
    of: ({ counter }) => counter.ChannelCapacity,
  },
  {
    name: 'ChannelFillPercentage',
    help: 'Share of the capacity of a channel that is in use, from 0 to 1.',
    of: ({ counter }) => counter.ChannelFillPercentage / 100,
    panels: [
      { row: 'Channels', title: 'Channel fill', query: '$metric', legend, unit: 'percentunit' },
    ],
    alerts: [
      {
        name: 'MillraceAgentChannelNearlyFull',
        expression: '$metric > 0.9',
        for: '5m',
        severity: 'warning',
        summary:
          'Channel {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} is {{ $value | humanizePercentage }} full.',
        action:
          'A full channel blocks its sources. Check flume_sink_event_drain_success_total of its sinks: if it does not increase, check the broker and the messages of the sink; if it increases too slowly, add a sink to the channel or raise its batch size. Raise the capacity of the channel to bridge longer outages.',
      },
    ],
  },
  {
    name: 'EventPutAttemptCount',
    help: 'Events that sources attempted to put into a channel.',
    of: ({ counter }) => counter.EventPutAttemptCount,
  },
  {
    name: 'EventPutSuccessCount',
    help: 'Events that were put into a channel.',
    of: ({ counter }) => counter.EventPutSuccessCount,
    panels: [
      {
        ...{ row: 'Channels', title: 'Events put', legend, unit: 'eps' },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
  },
  {
    name: 'EventTakeAttemptCount',
    help: 'Attempts of sinks to take events from a channel; one attempt takes a batch.',
    of: ({ counter }) => counter.EventTakeAttemptCount,
  },
  {
    name: 'EventTakeSuccessCount',
    help: 'Events that have left a channel.',
    of: ({ counter }) => counter.EventTakeSuccessCount,
    panels: [
      {
        ...{ row: 'Channels', title: 'Events taken', legend, unit: 'eps' },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
  },
  {
    name: 'EventPutErrorCount',
    help: 'Put transactions that failed in the storage of a file channel.',
    of: ofFileChannel((counter) => counter.EventPutErrorCount),
  },
  {
    name: 'Unhealthy',
    help: '1 while the log of a file channel cannot be written or its disk is too full for puts.',
    of: ofFileChannel((counter) => counter.Unhealthy),
    alerts: [
      {
        name: 'MillraceAgentChannelUnhealthy',
        expression: '$metric > 0',
        for: '1m',
        severity: 'critical',
        summary:
          'File channel {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} cannot be written.',
        action:
          "Search the agent's log for the channel's name: it says which directory cannot be written and why. Free space on that disk (at least minimumRequiredSpace); until then sources block and sinks continue.",
      },
    ],
  },
])

/** A counter that only Kafka sinks have. */
function ofKafkaSink(
  value: (counter: KafkaSinkCounter) => number,
): (sink: SinkFigures) => number | undefined {
  return ({ counter }) => (counter instanceof KafkaSinkCounter ? value(counter) : undefined)
}

const sinkMetrics = flumeMetrics<SinkFigures>('sink', (agent) => agent.sinks, [
  {
    name: 'EventDrainAttemptCount',
    help: 'Events that a sink has taken from its channel; events taken again are counted again.',
    of: ({ counter }) => counter.EventDrainAttemptCount,
  },
  {
    name: 'EventDrainSuccessCount',
    help: 'Events that a sink has delivered.',
    of: ({ counter }) => counter.EventDrainSuccessCount,
    panels: [
      {
        ...{ row: 'Sinks', title: 'Events delivered', legend, unit: 'eps' },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
  },
  {
    name: 'BatchEmptyCount',
    help: 'Attempts of a sink that found no event in its channel.',
    of: ({ counter }) => counter.BatchEmptyCount,
  },
  {
    name: 'BatchUnderflowCount',
    help: 'Batches of a sink with fewer events than its batch size.',
    of: ({ counter }) => counter.BatchUnderflowCount,
  },
  {
    name: 'BatchCompleteCount',
    help: 'Batches of a sink with as many events as its batch size.',
    of: ({ counter }) => counter.BatchCompleteCount,
  },
  {
    name: 'ConnectionCreatedCount',
    help: 'Connections that a Kafka sink has opened to its cluster.',
    of: ofKafkaSink((counter) => counter.ConnectionCreatedCount),
  },
  {
    name: 'ConnectionClosedCount',
    help: 'Connections of a Kafka sink to its cluster that were closed or lost.',
    of: ofKafkaSink((counter) => counter.ConnectionClosedCount),
  },
  {
    name: 'ConnectionFailedCount',
    help: 'Failed attempts of a Kafka sink to reach any broker of its cluster.',
    of: ofKafkaSink((counter) => counter.ConnectionFailedCount),
    panels: [
      {
        ...{ row: 'Sinks', title: 'Failed connections', legend, unit: 'cps' },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
    alerts: [
      {
        name: 'MillraceAgentBrokerUnreachable',
        expression: 'increase($metric[2m]) > 0',
        for: '5m',
        severity: 'critical',
        summary:
          'Sink {{ $labels.component }} of agent {{ $labels.agent }} on {{ $labels.instance }} has not reached its brokers for 5 minutes.',
        action:
          'Check that the brokers of kafka.bootstrap.servers are running and reachable from that host. Events wait in the channel until it is full (flume_channel_fill_ratio); then its sources block.',
      },
    ],
  },
  {
    name: 'RollbackCount',
    help: 'Rollbacks and retries of a Kafka sink after a failed send.',
    of: ofKafkaSink((counter) => counter.RollbackCount),
    panels: [
      {
        ...{ row: 'Sinks', title: 'Rollbacks', legend, unit: 'cps' },
        query: 'rate($metric[$__rate_interval])',
      },
    ],
  },
  {
    name: 'KafkaEventSendTimer',
    help: 'Total time from send to acknowledgement of all takes of a Kafka sink.',
    of: ofKafkaSink((counter) => counter.KafkaEventSendTimer / msPerSecond),
  },
])

export const flumeMetricTable: readonly AgentMetric[] = [
  ...sourceMetrics,
  ...channelMetrics,
  ...sinkMetrics,
]
