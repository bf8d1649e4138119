// The bounds of what one request may change. Kafka's controller writes everything that a request
// asks for as one batch of at most 10,000 records and refuses larger requests whole: a request for
// a million partitions would keep all others waiting until they are created. Pure, as
// topicRequests.ts is.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'
import type { MetadataView } from '../metadata/metadataView.ts'
import {
  decideCreateTopic,
  type Refusal,
  refuse,
  refusePartitions,
  type TopicWish,
  wantedPartitions,
} from './topicRequests.ts'

/** QuorumController.MAX_RECORDS_PER_USER_OP. */
const maxRecords = 10_000
/** ReplicationControlManager.MAX_PARTITIONS_PER_BATCH. */
const maxPartitions = 10_000

/** Why no topic of the request may be created; undefined when each is decided by itself. */
export function createTopicsRefusal(
  state: MetadataView,
  wishes: readonly TopicWish[],
  broker: BrokerConfig,
): Refusal | undefined {
  const partitions = sum(wishes, (wish) => Math.max(0, wantedPartitions(wish, broker)))
  if (partitions > maxPartitions) {
    return refuse(
      ErrorCode.policyViolation,
      `Excessively large number of partitions per request: ${partitions}, ${maxPartitions} are allowed.`,
    )
  }
  const most = partitions + sum(wishes, ({ configs }) => 1 + configs.length)
  if (most <= maxRecords) return undefined
  // Topics that are refused by themselves cost no records.
  return tooManyRecords(
    sum(wishes, (wish) => {
      const decision = decideCreateTopic(state, wish, '', broker)
      if ('errorCode' in decision) return 0
      const { command } = decision
      return 1 + Object.keys(command.configs).length + command.assignments.length
    }),
  )
}

/**
 * Why no topic of the request may get more partitions; undefined when each is decided by itself.
 */
export function createPartitionsRefusal(
  state: MetadataView,
  wishes: readonly { readonly name: string; readonly count: number }[],
): Refusal | undefined {
  return tooManyRecords(
    sum(wishes, ({ name, count }) => {
      const topic = state.topic(name)
      return refusePartitions(topic, name, count) ? 0 : count - topic!.partitions.length
    }),
  )
}

function tooManyRecords(records: number): Refusal | undefined {
  if (records <= maxRecords) return undefined
  return refuse(
    ErrorCode.policyViolation,
    `Unable to perform excessively large batch operation: ${records} records of metadata, ${maxRecords} are allowed.`,
  )
}

function sum<T>(things: readonly T[], amountOf: (thing: T) => number): number {
  return things.reduce((total, thing) => total + amountOf(thing), 0)
}
