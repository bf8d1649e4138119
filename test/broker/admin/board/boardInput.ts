// Reports of agents and jobs, and counters of topics, made up for tests of the board.

import type { PartitionOverview, TopicOverview } from '../../../../broker/server/overview.ts'
import type {
  AgentStatus,
  BatchStatus,
  JobStatus,
} from '../../../../protocol/telemetry/status/status.ts'

export const agentStatus = (
  timeMs: number,
  lines: number,
  more: Partial<AgentStatus> = {},
): AgentStatus => ({
  kind: 'agent',
  id: 'agent/h1/a1',
  timeMs,
  name: 'a1',
  host: 'h1',
  sources: [{ name: 'r1', type: 'taildir', eventsReceived: lines, eventsAccepted: lines }],
  channels: [{ name: 'c1', type: 'file', size: 0, capacity: 100 }],
  sinks: [{ name: 'k1', type: 'kafka', eventsDrained: lines, topic: 'orders' }],
  bytesRead: lines * 38,
  ...more,
})

export const batchStatus = (timeMs: number, more: Partial<BatchStatus> = {}): BatchStatus => ({
  id: 3,
  timeMs,
  records: 10,
  schedulingDelayMs: 1,
  processingTimeMs: 20,
  totalDelayMs: 21,
  latencyMs: 450,
  ...more,
})

export const jobStatus = (
  timeMs: number,
  recordsTotal: number,
  more: Partial<JobStatus> = {},
): JobStatus => ({
  kind: 'job',
  id: 'job/orders',
  name: 'orders',
  timeMs,
  state: 'running',
  topics: ['orders'],
  batchIntervalMs: 1_000,
  lagRecords: 0,
  recordsTotal,
  positions: [{ topic: 'orders', partition: 0, until: recordsTotal }],
  batches: [batchStatus(timeMs)],
  views: [
    {
      name: 'gender',
      title: 'Gender',
      chart: 'share',
      batchId: 3,
      offsets: [],
      rows: [
        ['0', 30],
        ['1', 10],
      ],
    },
  ],
  ...more,
})

export const partition = (
  highWatermark: number,
  more: Partial<PartitionOverview> = {},
): PartitionOverview => ({
  partition: 0,
  logStartOffset: 0,
  highWatermark,
  sizeBytes: highWatermark * 20,
  isOffline: false,
  ...more,
})

/** A topic of one partition. */
export const topic = (records: number, name = 'orders'): TopicOverview => ({
  name,
  id: '00000000-0000-4000-8000-000000000001',
  isInternal: false,
  partitions: [partition(records)],
  messagesInTotal: records,
  bytesInTotal: records * 40,
  bytesOutTotal: records * 80,
})
