// From what is set for a topic, and for the broker behind it, to how its logs are kept.

import { defaultLogConfig, type LogConfig } from '../log/logConfig.ts'
import type { BrokerConfig } from './brokerOptions.ts'
import { listElements } from './configOption.ts'
import type { ConfigTexts } from './configuration.ts'
import { topicConfigValue } from './topicSettings.ts'

export function logConfigOf(configs: ConfigTexts, broker: BrokerConfig): LogConfig {
  const policies = listElements(topicConfigValue('cleanup.policy', configs, broker))
  return {
    ...defaultLogConfig,
    flush: broker.flush,
    producerIdExpirationMs: broker['producer.id.expiration.ms'],
    transactionVerification: broker['transaction.partition.verification.enable'],
    segmentBytes: Math.min(
      topicConfigValue('segment.bytes', configs, broker),
      topicConfigValue('internal.segment.bytes', configs, broker),
    ),
    segmentMs: topicConfigValue('segment.ms', configs, broker),
    segmentJitterMs: topicConfigValue('segment.jitter.ms', configs, broker),
    segmentIndexBytes: topicConfigValue('segment.index.bytes', configs, broker),
    indexIntervalBytes: topicConfigValue('index.interval.bytes', configs, broker),
    maxMessageBytes: topicConfigValue('max.message.bytes', configs, broker),
    messageTimestampType: topicConfigValue('message.timestamp.type', configs, broker),
    messageTimestampBeforeMaxMs: topicConfigValue(
      'message.timestamp.before.max.ms',
      configs,
      broker,
    ),
    messageTimestampAfterMaxMs: topicConfigValue('message.timestamp.after.max.ms', configs, broker),
    compressionType: topicConfigValue('compression.type', configs, broker),
    compressionLevels: {
      gzip: topicConfigValue('compression.gzip.level', configs, broker),
      lz4: topicConfigValue('compression.lz4.level', configs, broker),
      zstd: topicConfigValue('compression.zstd.level', configs, broker),
    },
    cleanupPolicy: { delete: policies.includes('delete'), compact: policies.includes('compact') },
    retentionMs: topicConfigValue('retention.ms', configs, broker),
    retentionBytes: topicConfigValue('retention.bytes', configs, broker),
    deleteRetentionMs: topicConfigValue('delete.retention.ms', configs, broker),
    minCleanableDirtyRatio: topicConfigValue('min.cleanable.dirty.ratio', configs, broker),
    minCompactionLagMs: topicConfigValue('min.compaction.lag.ms', configs, broker),
    maxCompactionLagMs: topicConfigValue('max.compaction.lag.ms', configs, broker),
    fileDeleteDelayMs: topicConfigValue('file.delete.delay.ms', configs, broker),
  }
}
