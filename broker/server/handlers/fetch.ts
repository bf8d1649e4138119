// Hands out record batches, waiting for them when there are not enough (long poll). Whole batches,
// in the bytes they were stored with; a batch may begin before the offset that was asked for.
//
// Fetch sessions (KIP-227) are never opened: session id 0 tells clients to send whole requests.

import { fetch } from '../../../protocol/kafka/apis/fetch.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema.ts'
import type { PartitionLog } from '../../log/partitionLog.ts'
import { FetchWait } from '../fetchWait.ts'
import { handler } from '../handler.ts'
import { leaderEpochError } from '../leaderEpoch.ts'
import type { RequestContext } from '../requestContext.ts'

type FetchRequest = RequestOf<typeof fetch>
type FetchPartition = FetchRequest['topics'][number]['partitions'][number]

/** One partition to read, or the reason why not. */
interface Target {
  readonly topic: string
  readonly topicId: string
  readonly request: FetchPartition
  readonly log: PartitionLog | undefined
  readonly errorCode: number
}

interface PartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly never[] | null
  readonly preferredReadReplica: number
  readonly records: Buffer
}

interface Round {
  readonly responses: PartitionResponse[]
  readonly bytes: number
  readonly hasError: boolean
}

const idVersion = 13
const noRecords = Buffer.alloc(0)

export const fetchHandler = handler(fetch, async (request, context) => {
  if (request.sessionId !== 0) {
    return {
      throttleTimeMs: 0,
      errorCode: ErrorCode.fetchSessionIdNotFound,
      sessionId: 0,
      responses: [],
    }
  }
  const targets = await findTargets(request, context)
  const round = await readEnough(request, targets, context)
  countBytes(targets, round.responses, context)
  return {
    throttleTimeMs: 0,
    errorCode: ErrorCode.none,
    sessionId: 0,
    responses: groupByTopic(targets, round.responses),
  }
})

async function findTargets(
  request: FetchRequest,
  { broker, apiVersion }: RequestContext,
): Promise<Target[]> {
  const { state } = broker.controller
  const byId = apiVersion >= idVersion
  const targets: Target[] = []
  for (const { topic: name, topicId, partitions } of request.topics) {
    const topic = byId ? state.topicById(topicId) : state.topic(name)
    for (const partition of partitions) {
      const log = topic && (await broker.partitions.readable(topic, partition.partition))
      const missing = byId && !topic ? ErrorCode.unknownTopicId : ErrorCode.unknownTopicOrPartition
      const errorCode = log ? leaderEpochError(partition.currentLeaderEpoch) : missing
      targets.push({ topic: topic?.name ?? name, topicId, request: partition, log, errorCode })
    }
  }
  return targets
}

/** Reads until there are `minBytes`, something is wrong, or time is up. */
async function readEnough(
  request: FetchRequest,
  targets: readonly Target[],
  context: RequestContext,
): Promise<Round> {
  const logs = targets.flatMap(({ log }) => (log ? [log] : []))
  // Before the first read, so that nothing appended during it goes unnoticed.
  const wait = new FetchWait(logs, context.broker.clock, request.maxWaitMs, context.stopWaiting)
  try {
    while (true) {
      const round = await readRound(request, targets, context)
      const enough = round.bytes >= request.minBytes || round.hasError || logs.length === 0
      if (enough || !(await wait.forAppend())) return round
    }
  } finally {
    wait.end()
  }
}

/** Reads each partition once, in the order of the request, up to the request's limit in all. */
async function readRound(
  request: FetchRequest,
  targets: readonly Target[],
  context: RequestContext,
): Promise<Round> {
  let left = Math.min(request.maxBytes, context.broker.config['fetch.max.bytes'])
  let bytes = 0
  let hasError = false
  const responses: PartitionResponse[] = []
  for (const target of targets) {
    const response = await readPartition(request, target, left, bytes === 0, context)
    responses.push(response)
    left = Math.max(0, left - response.records.length)
    bytes += response.records.length
    hasError ||= response.errorCode !== ErrorCode.none
  }
  return { responses, bytes, hasError }
}

/** The first batch of an answer is given whole however large it is: clients would get stuck. */
async function readPartition(
  { isolationLevel }: FetchRequest,
  { topic, request, log, errorCode }: Target,
  bytesLeft: number,
  minOneBatch: boolean,
  { broker }: RequestContext,
): Promise<PartitionResponse> {
  const { partition } = request
  if (!log || errorCode !== ErrorCode.none) return failure(partition, errorCode)
  const maxBytes = Math.min(request.partitionMaxBytes, bytesLeft)
  try {
    const result = await log.read(request.fetchOffset, maxBytes, {
      minOneBatch,
      upTo: 'highWatermark',
    })
    if (result.errorCode !== ErrorCode.none) return failure(partition, result.errorCode)
    return {
      partitionIndex: partition,
      errorCode: ErrorCode.none,
      highWatermark: result.highWatermark,
      lastStableOffset: result.lastStableOffset,
      logStartOffset: result.logStartOffset,
      abortedTransactions: isolationLevel === 1 ? [] : null,
      preferredReadReplica: -1,
      records: result.bytes,
    }
  } catch (error) {
    return failure(partition, broker.partitions.errorCodeOf(error, topic, partition))
  }
}

function failure(partitionIndex: number, errorCode: number): PartitionResponse {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: noRecords,
  }
}

function groupByTopic(targets: readonly Target[], responses: readonly PartitionResponse[]) {
  const topics: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = []
  for (const [index, { topic, topicId }] of targets.entries()) {
    const last = topics.at(-1)
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(responses[index]!)
    else topics.push({ topic, topicId, partitions: [responses[index]!] })
  }
  return topics
}

function countBytes(
  targets: readonly Target[],
  responses: readonly PartitionResponse[],
  { broker }: RequestContext,
): void {
  for (const [index, { topic }] of targets.entries()) {
    const { length } = responses[index]!.records
    if (length > 0) broker.traffic.of(topic).bytesOut += length
  }
}
