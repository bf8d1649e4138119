// Reports the agent's status to the cluster every second: the newest record of the agent's key in
// the status topic is current. A report that fails is skipped. A report must never delay the agent.

import type { Behavior } from '../../protocol/actor/actor.ts'
import type { Cluster } from '../../protocol/client/cluster/cluster.ts'
import { BatchSender } from '../../protocol/client/producer/batchSender.ts'
import { RecordBatchBuilder } from '../../protocol/kafka/records/recordBatchBuilder.ts'
import type { Clock } from '../../protocol/runtime/time/clock.ts'
import type { Logger } from '../../protocol/telemetry/logging/logger.ts'
import { type AgentStatus, encodeStatus } from '../../protocol/telemetry/status/status.ts'
import { ensureStatusTopic } from '../../protocol/telemetry/status/statusTopic.ts'
import { statusTopic } from '../../protocol/telemetry/status/statusTopicName.ts'

const intervalMs = 1000
const deliveryTimeoutMs = 5000

export function statusReporter(
  cluster: Cluster,
  clock: Clock,
  logger: Logger,
  status: () => AgentStatus,
): () => Behavior<'report'> {
  return () => {
    const sender = new BatchSender(cluster, clock, { acks: 1, deliveryTimeoutMs, maxInFlight: 1 })
    let isSending = false
    let hasTopic = false
    let isReported = false
    const report = async () => {
      if (!hasTopic) await ensureStatusTopic(cluster, deliveryTimeoutMs)
      hasTopic = true
      const { key, value } = encodeStatus(status())
      const builder = new RecordBatchBuilder()
      builder.append(clock.nowMs(), key, value)
      isReported = false
      await sender.send(statusTopic, 0, builder.build())
      isReported = true
    }
    return {
      started: (context) => context.setPeriodicTimer('report', intervalMs, 'report'),
      receive() {
        if (isSending) return
        isSending = true
        report()
          .catch((error: unknown) => logger.debug({ error }, 'failed to report the status'))
          .finally(() => {
            isSending = false
          })
      },
      async stopping() {
        // The last report has the state `stopped`; without it the agent would look crashed. Skipped
        // if the previous report failed or is pending: a stop must not wait for an unreachable
        // broker.
        if (isReported) await report().catch(() => {})
        await sender.close()
      },
    }
  }
}
