// For each alert rule, series for which it fires and series for which it does not, in promtool's
// notation: `a+bxn` starts at a and increases n times by b. A series has one value a minute; the
// rules are evaluated after 60 minutes.

export interface AlertCase {
  readonly fires: Readonly<Record<string, string>>
  readonly quiet: Readonly<Record<string, string>>
  /** Further series for which the rule fires, and for which it does not. */
  readonly alsoFires?: readonly Readonly<Record<string, string>>[]
  readonly alsoQuiet?: readonly Readonly<Record<string, string>>[]
}

/** Labels of the target: each case has its own target, whose name replaces `@`. */
const on = { instance: '@', job: 'millrace-@' } as const

function series(name: string, labels: Readonly<Record<string, string>> = {}): string {
  const pairs = Object.entries({ ...on, ...labels }).map(([label, value]) => `${label}="${value}"`)
  return `${name}{${pairs.join(',')}}`
}

/** Returns a case of one series, with its values when the rule fires and when it does not. */
function one(
  name: string,
  fires: string,
  quiet: string,
  labels: Readonly<Record<string, string>> = {},
): AlertCase {
  const named = series(name, labels)
  return { fires: { [named]: fires }, quiet: { [named]: quiet } }
}

const component = { agent: 'a1', component: 'c1' }
const directory = { directory: '/data' }
const job = { job_name: 'words' }
const group = { consumergroup: 'g', topic: 't' }
const gib = 1024 ** 3

const lagSum = series('kafka_consumergroup_lag_sum', group)
const offsetSum = series('kafka_consumergroup_current_offset_sum', group)
const lagSeconds = series('millrace_consumer_group_lag_max_seconds', group)
const offsetOf = (partition: string) =>
  series('kafka_consumergroup_current_offset', { ...group, partition })
const freeBytes = series('millrace_broker_disk_free_bytes', directory)
const reservedBytes = series('millrace_broker_disk_reserved_bytes', directory)
const members = series('kafka_consumergroup_members', { consumergroup: 'g' })

/** Returns buckets of a histogram: `slow` has all values above `low`, `fast` at or below it. */
function buckets(name: string, labels: Readonly<Record<string, string>>, low: string) {
  const bucket = (le: string) => series(`${name}_bucket`, { ...labels, le })
  return {
    slow: { [bucket(low)]: '0x120', [bucket('60')]: '0+10x120', [bucket('+Inf')]: '0+10x120' },
    fast: { [bucket(low)]: '0+10x120', [bucket('60')]: '0+10x120', [bucket('+Inf')]: '0+10x120' },
  }
}

const produce = buckets('millrace_broker_request_latency_seconds', { api: 'Produce' }, '1')
const fetch = buckets('millrace_broker_request_latency_seconds', { api: 'Fetch' }, '1')
const delivery = buckets('millrace_agent_delivery_delay_seconds', component, '30')

const batchTime = (seconds: number) => ({
  [series('millrace_job_batch_processing_seconds_sum', job)]: `0+${seconds * 30}x120`,
  [series('millrace_job_batch_processing_seconds_count', job)]: '0+30x120',
  [series('millrace_job_batch_interval_seconds', job)]: '2x120',
})

export const alertCases: Readonly<Record<string, AlertCase>> = {
  MillraceTargetDown: {
    ...one('up', '0x120', '1x120'),
    quiet: { [series('up')]: '1x120', 'up{instance="@-b",job="node"}': '0x120' },
  },
  MillraceFileDescriptorsRunOut: {
    fires: { [series('process_open_fds')]: '900x120', [series('process_max_fds')]: '1000x120' },
    quiet: { [series('process_open_fds')]: '500x120', [series('process_max_fds')]: '1000x120' },
  },
  MillraceHeapAlmostFull: {
    fires: {
      [series('nodejs_heap_size_used_bytes')]: '95x120',
      [series('nodejs_heap_size_limit_bytes')]: '100x120',
    },
    // The heap is almost full before a collection, but not after it.
    quiet: {
      [series('nodejs_heap_size_used_bytes')]:
        '95 40 95 40 95 40 95 40 95 40 95 40 95 40 95 40x110',
      [series('nodejs_heap_size_limit_bytes')]: '100x120',
    },
  },
  MillraceEventLoopSlow: one('nodejs_eventloop_lag_p99_seconds', '1x120', '0.02x120'),
  MillraceDiskFullSoon: {
    fires: { [freeBytes]: `${100 * gib}-${gib}x90`, [reservedBytes]: `${gib}x120` },
    quiet: { [freeBytes]: `${100 * gib}-${gib / 1000}x90`, [reservedBytes]: `${gib}x120` },
    // The disk is not full within 4 hours, but free space falls to the reserve.
    alsoFires: [{ [freeBytes]: `${400 * gib}-${gib}x90`, [reservedBytes]: `${120 * gib}x120` }],
  },
  MillraceDiskAlmostFull: one('millrace_broker_disk_alert_level', '1x120', '0x120', directory),
  MillraceDiskFull: one('millrace_broker_disk_alert_level', '2x120', '1x120', directory),
  MillraceCoordinationDamaged: one('millrace_broker_coordination_damaged', '1x120', '0x120'),
  MillraceCoordinationUnreachable: {
    fires: {
      [series('millrace_broker_coordination_connected')]: '0x120',
      [series('millrace_broker_coordination_damaged')]: '0x120',
    },
    quiet: {
      [series('millrace_broker_coordination_connected')]: '1x120',
      [series('millrace_broker_coordination_damaged')]: '0x120',
    },
    // The other alert says what to do.
    alsoQuiet: [
      {
        [series('millrace_broker_coordination_connected')]: '0x120',
        [series('millrace_broker_coordination_damaged')]: '1x120',
      },
    ],
  },
  MillraceDirectoryFailed: one('millrace_broker_directory_failed', '1x120', '0x120', directory),
  MillraceRequestErrors: {
    fires: {
      [series('millrace_broker_request_errors_total', { api: 'Produce', error: 'X' })]: '0+5x120',
      [series('millrace_broker_requests_total', { api: 'Produce' })]: '0+100x120',
    },
    quiet: {
      [series('millrace_broker_request_errors_total', { api: 'Produce', error: 'X' })]: '0+5x120',
      [series('millrace_broker_requests_total', { api: 'Produce' })]: '0+10000x120',
    },
    alsoQuiet: [
      {
        [series('millrace_broker_request_errors_total', {
          ...{ api: 'Heartbeat', error: 'REBALANCE_IN_PROGRESS' },
        })]: '0+5x120',
        [series('millrace_broker_requests_total', { api: 'Heartbeat' })]: '0+100x120',
      },
    ],
  },
  // A slow fetch only waits for records.
  MillraceProduceSlow: { fires: produce.slow, quiet: { ...produce.fast, ...fetch.slow } },
  MillraceMemoryBudgetUsedUp: {
    fires: {
      [series('millrace_broker_memory_used_bytes', { budget: 'requests' })]: '95x120',
      [series('millrace_broker_memory_limit_bytes', { budget: 'requests' })]: '100x120',
    },
    quiet: {
      [series('millrace_broker_memory_used_bytes', { budget: 'requests' })]: '50x120',
      [series('millrace_broker_memory_limit_bytes', { budget: 'requests' })]: '100x120',
    },
  },
  MillraceConnectionsRefused: one('millrace_broker_connections_refused_total', '0+1x120', '7x120', {
    limit: 'max.connections',
  }),
  MillraceNoActiveController: {
    fires: { [series('kafka_controller_kafkacontroller_activecontrollercount')]: '0x120' },
    quiet: {
      'kafka_controller_kafkacontroller_activecontrollercount{instance="@-a",job="millrace-@"}':
        '1x120',
      'kafka_controller_kafkacontroller_activecontrollercount{instance="@-b",job="millrace-@"}':
        '0x120',
    },
  },
  MillraceOfflinePartitions: one(
    'kafka_controller_kafkacontroller_offlinepartitionscount',
    '1x120',
    '0x120',
  ),
  MillracePreferredReplicaImbalance: one(
    'kafka_controller_kafkacontroller_preferredreplicaimbalancecount',
    '1x120',
    '0x120',
  ),
  MillraceUnderReplicatedPartitions: one(
    'kafka_server_replicamanager_underreplicatedpartitions',
    '1x120',
    '0x120',
  ),
  MillraceUnderMinIsrPartitions: one(
    'kafka_server_replicamanager_underminisrpartitioncount',
    '1x120',
    '0x120',
  ),
  MillraceConsumerLagIncreases: {
    fires: { [lagSum]: '0+10x120' },
    // The lag is large, but decreases.
    quiet: { [lagSum]: '100000-10x120' },
  },
  MillraceConsumerGroupStalled: {
    fires: { [lagSum]: '100x120', [offsetSum]: '500x120', [members]: '2x120' },
    quiet: { [lagSum]: '100x120', [offsetSum]: '500+10x120', [members]: '2x120' },
    // The group has existed for only 8 minutes.
    alsoQuiet: [{ [lagSum]: '_x52 100x60', [offsetSum]: '_x52 500x60', [members]: '_x52 2x60' }],
  },
  MillraceConsumerGroupStopped: {
    fires: { [lagSum]: '100x120', [offsetSum]: '500x120', [members]: '0x120' },
    quiet: { [lagSum]: '0x120', [offsetSum]: '500x120', [members]: '0x120' },
  },
  MillraceConsumerGroupRewound: {
    ...one('kafka_consumergroup_current_offset_sum', '500x58 20x60', '500+10x120', group),
    alsoFires: [
      // Another partition hides the decrease in the sum.
      {
        [offsetSum]: '1000+10x120',
        [offsetOf('0')]: '500x58 20x60',
        [offsetOf('1')]: '500x58 1500x60',
      },
    ],
    alsoQuiet: [
      // The offset of a partition has expired.
      { [offsetSum]: '1000x58 500x60', [offsetOf('0')]: '500x58', [offsetOf('1')]: '500x120' },
    ],
  },
  MillraceConsumerLagTooHigh: {
    fires: { [lagSeconds]: '400x120', [members]: '2x120' },
    quiet: { [lagSeconds]: '30x120', [members]: '2x120' },
    // The consumers of the group have died.
    alsoFires: [{ [lagSeconds]: '400x120', [members]: '2x10 0x110' }],
    alsoQuiet: [{ [lagSeconds]: '0+60x120', [members]: '0x120' }],
  },
  MillraceTransactionHangs: one(
    'millrace_broker_transaction_oldest_age_seconds',
    '0+60x120',
    '20x120',
  ),
  MillracePartitionsUncleanable: one(
    'kafka_log_logcleanermanager_uncleanable_partitions_count',
    '1x120',
    '0x120',
  ),
  MillraceAgentChannelRefusesEvents: one(
    'flume_source_channel_write_fail_total',
    '0+1x120',
    '9x120',
    component,
  ),
  MillraceAgentChannelNearlyFull: one('flume_channel_fill_ratio', '0.95x120', '0.5x120', component),
  MillraceAgentChannelUnhealthy: one('flume_channel_unhealthy', '1x120', '0x120', component),
  MillraceAgentBrokerUnreachable: one(
    'flume_sink_connection_failed_total',
    '0+5x120',
    '0x30 5x90',
    component,
  ),
  MillraceAgentFilesUnreadable: one(
    'millrace_agent_source_unreadable_files',
    '2x120',
    '0x120',
    component,
  ),
  MillraceAgentSourceFallsBehind: one(
    'millrace_agent_source_unread_bytes',
    `${gib}+${gib}x120`,
    `${100 * gib}-${gib / 10}x120`,
    component,
  ),
  MillraceAgentChannelNotDraining: one(
    'millrace_agent_channel_stalled_seconds',
    '0+60x120',
    '2x120',
    component,
  ),
  MillraceAgentDeliverySlow: { fires: delivery.slow, quiet: delivery.fast },
  MillraceAgentComponentRestarts: one(
    'millrace_agent_component_restarts_total',
    '0+1x120',
    '0x40 1x80',
    { ...component, kind: 'sink' },
  ),
  MillraceJobDriverHeld: one('millrace_job_driver_up', '0x120', '1x120'),
  MillraceJobFailed: {
    fires: { [series('millrace_job_state', { ...job, state: 'failed' })]: '1x120' },
    quiet: {
      [series('millrace_job_state', { ...job, state: 'failed' })]: '0x120',
      [series('millrace_job_state', { ...job, state: 'running' })]: '1x120',
    },
  },
  MillraceJobCannotReadTopics: one('millrace_job_waiting', '1x120', '0x120', job),
  MillraceJobCannotKeepUp: { fires: batchTime(3), quiet: batchTime(1) },
  MillraceJobBatchHangs: one('millrace_job_batch_running_seconds', '0+60x120', '1x120', job),
  MillraceJobFallsBehind: one('millrace_job_lag_seconds', '0+60x120', '3600-20x120', job),
  MillraceJobRejectsRecords: one('millrace_job_rejected_records_total', '0+1x120', '5x120', {
    ...job,
    topic: 't',
    policy: 'skip',
  }),
  MillraceJobLosesRecords: {
    ...one('millrace_job_lost_records_total', '0x50 7x70', '0x120', job),
    // Fires for a loss before the first scrape after a start, but not for one two hours ago.
    alsoFires: [{ [series('millrace_job_lost_records_total', job)]: '_x50 7x70' }],
    alsoQuiet: [{ [series('millrace_job_lost_records_total', job)]: '7x120' }],
  },
  MillraceJobTasksFail: one('millrace_job_tasks_failed_total', '0+1x120', '0x40 1x80', job),
  MillraceJobLosesExecutors: one('millrace_job_executors_lost_total', '0+1x120', '0x40 1x80', job),
}
