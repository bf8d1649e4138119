// Produce: appends record batches. All appends of a request are started before the first await, so
// that requests that are handled in order are appended in order. The response is sent when all have
// ended.

import { Compression } from '../../../protocol/bytes/compression.ts'
import { MemoryAllowance } from '../../../protocol/bytes/memoryAllowance.ts'
import { produce } from '../../../protocol/kafka/apis/produce.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import {
  RecordBatch,
  recordBatchOverheadBytes,
} from '../../../protocol/kafka/records/recordBatch.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { isInternalTopic } from '../../controller/topics/internalTopics.ts'
import { type RecordError, type Refusal, refuse } from '../../log/append/refusal.ts'
import type { TopicTraffic } from '../figures/topicTraffic.ts'
import { handler, noResponse } from '../request/handler.ts'
import type { BrokerParts, RequestContext } from '../request/requestContext.ts'

type ProduceRequest = RequestOf<typeof produce>
type TopicData = ProduceRequest['topicData'][number]
type PartitionData = TopicData['partitionData'][number]

interface Sender {
  readonly acks: 'all' | 'leader'
  readonly transactionalId: string | null
  readonly apiVersion: number
  /** Limit on what validation may decompress, shared by all partitions of the request. */
  readonly decompression: MemoryAllowance
}

interface PartitionResponse {
  readonly index: number
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly recordErrors: readonly RecordError[]
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
}

/**
 * First version with this record format. Earlier ones are answered with an error and not
 * disconnected (KAFKA-18659).
 */
const firstVersion = produce.minVersion
const idVersion = 13
/** First version in which clients may send zstd. */
const zstdVersion = 7
/** All in-sync replicas, none, the leader only. */
const knownAcks = new Set([-1, 0, 1])

export const produceHandler = handler(produce, async (request, context) => {
  const refusal = refuseRequest(request, context.apiVersion)
  const sender: Sender = {
    acks: request.acks === -1 ? 'all' : 'leader',
    transactionalId: request.transactionalId,
    apiVersion: context.apiVersion,
    decompression: new MemoryAllowance(context.broker.config['socket.request.max.bytes']),
  }
  const { broker } = context
  const appends = request.topicData.map((topic) => appendTopic(topic, refusal, sender, broker))
  const responses = await Promise.all(appends)
  if (request.acks !== 0) return { responses }
  reportUnanswered(responses, context)
  return noResponse
})

function refuseRequest(request: ProduceRequest, version: number): number {
  if (version < firstVersion) return ErrorCode.unsupportedVersion
  if (!knownAcks.has(request.acks)) return ErrorCode.invalidRequiredAcks
  return refuseTransaction(request)
}

/** Checks that a request belongs to one transaction at most, and names it. */
function refuseTransaction({ transactionalId, topicData }: ProduceRequest): number {
  let producerId: number | undefined
  for (const { partitionData } of topicData) {
    for (const { records } of partitionData) {
      const first = firstBatch(records)
      if (!first?.isTransactional) continue
      if (transactionalId === null) return ErrorCode.transactionalIdAuthorizationFailed
      producerId ??= first.producerId
      if (first.producerId !== producerId) return ErrorCode.invalidProducerIdMapping
    }
  }
  return ErrorCode.none
}

async function appendTopic(
  { name, topicId, partitionData }: TopicData,
  refusal: number,
  sender: Sender,
  broker: BrokerParts,
) {
  const { state } = broker.controller
  const byId = sender.apiVersion >= idVersion
  const topic = byId ? state.topicById(topicId) : state.topic(name)
  const error = refusal || topicError(topic?.name, byId)
  const appends = partitionData.map((data) =>
    error ? failure(data.index, error) : append(topic!.name, data, sender, broker),
  )
  return { name, topicId, partitionResponses: await Promise.all(appends) }
}

function topicError(name: string | undefined, byId: boolean): number {
  if (name === undefined) {
    return byId ? ErrorCode.unknownTopicId : ErrorCode.unknownTopicOrPartition
  }
  return isInternalTopic(name) ? ErrorCode.invalidTopicException : ErrorCode.none
}

async function append(
  topic: string,
  { index, records }: PartitionData,
  { transactionalId, acks, apiVersion, decompression }: Sender,
  { controller, replicas, transactionalAppends, traffic, rarePoints }: BrokerParts,
): Promise<PartitionResponse> {
  const counters = traffic.of(topic)
  counters.appends++
  const partition = replicas.partition(topic, index)
  if (!partition) {
    const errorCode = replicas.errorCodeOfMissing(controller.state.topic(topic), index)
    return failedAppend(failure(index, errorCode), records, counters)
  }
  const refusal = refuseBatches(records, apiVersion)
  if (refusal) {
    const { errorCode, message } = refusal
    return failedAppend(failure(index, errorCode, message), records, counters)
  }
  if (rarePoints.isForced('append refused')) {
    return failedAppend(failure(index, ErrorCode.notEnoughReplicas), records, counters)
  }
  try {
    const bytes = records!
    const first = firstBatch(bytes)
    const target = { partition, bytes, acks, apiVersion, decompression }
    const result =
      transactionalId !== null && first?.isTransactional
        ? await transactionalAppends.append({ ...target, transactionalId, first })
        : await partition.appendAsLeader(bytes, { origin: 'client', acks, decompression })
    if (result.errorCode === ErrorCode.none) {
      if (result.duplicate) counters.duplicateAppends++
      else {
        counters.bytesIn += bytes.length
        counters.messagesIn += result.lastOffset - result.baseOffset + 1
      }
    }
    const response = {
      index,
      errorCode: result.errorCode,
      errorMessage: result.errorMessage ?? null,
      recordErrors: result.recordErrors,
      baseOffset: result.baseOffset,
      logAppendTimeMs: result.logAppendTimeMs,
      logStartOffset: result.logStartOffset,
    }
    if (result.errorCode === ErrorCode.none) return response
    return failedAppend(response, records, counters)
  } catch (error) {
    const response = failure(index, replicas.errorCodeOf(error, topic, index))
    return failedAppend(response, records, counters)
  }
}

/** Counts an append that was refused or has failed. Returns its response. */
function failedAppend(
  response: PartitionResponse,
  records: Buffer | null,
  counters: TopicTraffic,
): PartitionResponse {
  counters.failedAppends++
  counters.failedBytes += records?.length ?? 0
  return response
}

/** Checks what a partition's part of a request must not contain, independent of its log. */
function refuseBatches(records: Buffer | null, apiVersion: number): Refusal | undefined {
  if (!records || records.length === 0) return refuse(ErrorCode.invalidRecord, 'no record batch')
  const first = firstBatch(records)
  if (!first?.isComplete()) return refuse(ErrorCode.invalidRecord, 'the record batch is incomplete')
  if (first.sizeInBytes < records.length) {
    return refuse(ErrorCode.invalidRecord, 'a request may contain one record batch per partition')
  }
  if (first.compression === Compression.zstd && apiVersion < zstdVersion) {
    return refuse(
      ErrorCode.unsupportedCompressionType,
      `zstd requires version ${zstdVersion} of Produce`,
    )
  }
  return undefined
}

/** Returns the first batch, whose header has the producer's id and epoch. */
function firstBatch(records: Buffer | null): RecordBatch | undefined {
  const isWhole = records !== null && records.length >= recordBatchOverheadBytes
  return isWhole ? new RecordBatch(records) : undefined
}

function failure(
  index: number,
  errorCode: number,
  errorMessage: string | null = null,
): PartitionResponse {
  return {
    index,
    errorCode,
    errorMessage,
    recordErrors: [],
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
  }
}

/** Disconnects a producer with acks=0 after an error, as Kafka does: it gets no response. */
function reportUnanswered(
  responses: readonly { readonly partitionResponses: readonly PartitionResponse[] }[],
  context: RequestContext,
): void {
  for (const { partitionResponses } of responses) {
    const failed = partitionResponses.find(({ errorCode }) => errorCode !== ErrorCode.none)
    if (failed) {
      context.disconnect(`failed to append with acks=0: error ${failed.errorCode}`)
      return
    }
  }
}
