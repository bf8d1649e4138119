// How much one request may change. Kafka's controller writes all that a request asks for as one batch of
// records, at most 10,000, and refuses the whole request above that: one that asks for a million
// partitions would otherwise keep everybody else's waiting for as long as it takes to make them.
// Pure, as topicRequests.ts is.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { BrokerConfig } from '../configuration/brokerOptions.ts'
import type { MetadataState } from './metadataState.ts'
import {
  decideCreatePartitions,
  decideCreateTopic,
  type Refusal,
  refuse,
  type TopicWish,
  wantedPartitions,
} from './topicRequests.ts'

/** QuorumController.MAX_RECORDS_PER_USER_OP. */
const maxRecords = 10_000
/** ReplicationControlManager.MAX_PARTITIONS_PER_BATCH. */
const maxPartitions = 10_000

/** Why none of the topics may be created, whatever becomes of each of them. */
export function createTopicsRefusal(
  state: MetadataState,
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
  // Of those alone that will be created.
  return tooManyRecords(
    sum(wishes, (wish) => {
      const decision = decideCreateTopic(state, wish, '', broker)
      if ('errorCode' in decision) return 0
      const { command } = decision
      return 1 + Object.keys(command.configs).length + command.partitions
    }),
  )
}

/** Why none of the topics may have more partitions, whatever becomes of each of them. */
export function createPartitionsRefusal(
  state: MetadataState,
  wishes: readonly { readonly name: string; readonly count: number }[],
): Refusal | undefined {
  return tooManyRecords(
    sum(wishes, ({ name, count }) => {
      const topic = state.topic(name)
      const decision = decideCreatePartitions(topic, name, count)
      return 'errorCode' in decision ? 0 : decision.command.partitions - topic!.partitions
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
