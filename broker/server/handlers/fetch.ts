// Fetch: returns record batches, and waits for more if there are too few (long poll). The reads are
// in partitionFetch.ts, the sessions in fetchSessions.ts.

import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { recordsIn } from '../../log/segment/batchWalk.ts'
import type { FetchOutcome } from '../fetch/fetchSessions.ts'
import {
  type FetchTarget,
  findTargets,
  type PartitionResponse,
  readEnough,
} from '../fetch/partitionFetch.ts'
import { handler } from '../request/handler.ts'
import type { BrokerParts } from '../request/requestContext.ts'

/** First version with topics by id. */
const idVersion = 13

export const fetchHandler = handler(fetch, async (request, context) => {
  const { broker, apiVersion } = context
  const byId = apiVersion >= idVersion
  const begun = broker.fetchSessions.begin(request, byId, broker.clock.monotonicMs())
  if (typeof begun === 'number') return { errorCode: begun, sessionId: 0, responses: [] }
  const targets = await findTargets(begun.wanted, byId, context)
  const maxBytes = Math.min(request.maxBytes, broker.config['fetch.max.bytes'])
  const responses = await readEnough(request, targets, maxBytes, context)
  const outcome = begun.finish(responses, broker.clock.monotonicMs())
  if (outcome.errorCode === ErrorCode.none) countTraffic(targets, responses, broker)
  const { errorCode, sessionId } = outcome
  return { errorCode, sessionId, responses: groupByTopic(targets, responses, outcome) }
})

function groupByTopic(
  targets: readonly FetchTarget[],
  responses: readonly PartitionResponse[],
  { isSent }: FetchOutcome,
) {
  const topics: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = []
  for (const [index, { topic, topicId }] of targets.entries()) {
    if (!isSent(index)) continue
    const last = topics.at(-1)
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(responses[index]!)
    else topics.push({ topic, topicId, partitions: [responses[index]!] })
  }
  return topics
}

function countTraffic(
  targets: readonly FetchTarget[],
  responses: readonly PartitionResponse[],
  { traffic }: BrokerParts,
): void {
  for (const [index, { topic, partition }] of targets.entries()) {
    const { records, errorCode } = responses[index]!
    if (records.length > 0) {
      const counters = traffic.of(topic)
      counters.bytesOut += records.length
      counters.messagesOut += recordsIn(records)
    } else if (errorCode !== ErrorCode.none && partition) {
      traffic.of(topic).failedReads++
    }
  }
}
