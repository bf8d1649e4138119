// Limits on the changes of one request. Kafka's controller writes all changes of a request as one
// batch of at most 10,000 records, and refuses larger requests as a whole: a request for a million
// partitions would block all others until they are created. Pure functions, as in topicRequests.ts.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { BrokerConfig } from '../../configuration/brokerOptions.ts'
import type { MetadataView } from '../metadata/metadataView.ts'
import {
  decideCreateTopic,
  type Refusal,
  refuse,
  refusePartitions,
  type TopicRequest,
  wantedPartitions,
} from './topicRequests.ts'

/** QuorumController.MAX_RECORDS_PER_USER_OP. */
const maxRecords = 10_000
/** ReplicationControlManager.MAX_PARTITIONS_PER_BATCH. */
const maxPartitions = 10_000

/**
 * Why the whole request to create topics is refused; undefined if each topic is decided separately.
 */
export function createTopicsRefusal(
  state: MetadataView,
  requests: readonly TopicRequest[],
  broker: BrokerConfig,
): Refusal | undefined {
  const partitions = sum(requests, (request) => Math.max(0, wantedPartitions(request, broker)))
  if (partitions > maxPartitions) {
    return refuse(
      ErrorCode.policyViolation,
      `Excessively large number of partitions per request: ${partitions}, ${maxPartitions} are allowed.`,
    )
  }
  const most = partitions + sum(requests, ({ configs }) => 1 + configs.length)
  if (most <= maxRecords) return undefined
  // Topics that are refused separately need no records.
  return tooManyRecords(
    sum(requests, (request) => {
      const decision = decideCreateTopic(state, request, '', broker)
      if ('errorCode' in decision) return 0
      const { command } = decision
      return 1 + Object.keys(command.configs).length + command.assignments.length
    }),
  )
}

/**
 * Why the whole request to add partitions is refused; undefined if each topic is decided
 * separately.
 */
export function createPartitionsRefusal(
  state: MetadataView,
  requests: readonly { readonly name: string; readonly count: number }[],
): Refusal | undefined {
  return tooManyRecords(
    sum(requests, ({ name, count }) => {
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
