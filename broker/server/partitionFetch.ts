// Reads for Fetch: rounds over the wanted partitions, each read once, until there are enough bytes,
// something has to be said at once, or time is up. Whole batches, in the bytes they were stored
// with; a batch may begin before the offset that was asked for.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { AbortedTransaction, ReadOptions } from '../log/readResult.ts'
import type { FetchRequest, PartitionRequest, WantedPartition } from './fetchSessions.ts'
import { FetchWait } from './fetchWait.ts'
import { epochEnd, leaderEpochError } from './leaderEpoch.ts'
import type { RequestContext } from './requestContext.ts'

/** One partition to read, or the reason why not. */
export interface FetchTarget {
  readonly topic: string
  readonly topicId: string
  readonly request: PartitionRequest
  readonly log: PartitionLog | undefined
  readonly errorCode: number
}

export interface PartitionResponse {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly divergingEpoch?: { readonly epoch: number; readonly endOffset: number }
  readonly abortedTransactions: readonly AbortedTransaction[] | null
  readonly records: Buffer
}

interface Round {
  readonly responses: PartitionResponse[]
  readonly bytes: number
  /** A log has something to say that cannot wait. */
  readonly isUrgent: boolean
}

const readCommitted = 1
const noRecords = Buffer.alloc(0)

export async function findTargets(
  wanted: readonly WantedPartition[],
  byId: boolean,
  { broker }: RequestContext,
): Promise<FetchTarget[]> {
  const { controller, partitions } = broker
  const targets: FetchTarget[] = []
  for (const { topic: name, topicId, request } of wanted) {
    const topic = byId ? controller.state.topicById(topicId) : controller.state.topic(name)
    const log =
      topic &&
      (partitions.log(topic.name, request.partition) ??
        (await partitions.readable(topic, request.partition)))
    const missing =
      byId && !topic
        ? ErrorCode.unknownTopicId
        : partitions.errorCodeOfMissing(topic, request.partition)
    const errorCode = log ? leaderEpochError(request.currentLeaderEpoch) : missing
    targets.push({ topic: topic?.name ?? name, topicId, request, log, errorCode })
  }
  return targets
}

/** Reads until there are `minBytes`, something is wrong, or time is up: `maxBytes` at most. */
export async function readEnough(
  request: FetchRequest,
  targets: readonly FetchTarget[],
  maxBytes: number,
  context: RequestContext,
): Promise<PartitionResponse[]> {
  const logs = targets.flatMap(({ log }) => (log ? [log] : []))
  // Before the first read, so that nothing appended during it goes unnoticed.
  const wait = new FetchWait(logs, context.broker.clock, request.maxWaitMs, context.stopWaiting)
  try {
    while (true) {
      const mayRead = await context.answerMemory.reserve(maxBytes)
      const round = await readRound(request, targets, mayRead, context)
      context.answerMemory.keep(round.bytes)
      const minBytes = Math.min(request.minBytes, mayRead)
      const enough = round.bytes >= minBytes || round.isUrgent || logs.length === 0
      if (enough || !(await wait.forAppend())) return round.responses
    }
  } finally {
    wait.end()
  }
}

/**
 * Reads each partition once, in the order of the request, up to the limit in all. Once there is a batch to
 * answer with, those whose own limits fit into what is left are read at the same time.
 */
async function readRound(
  request: FetchRequest,
  targets: readonly FetchTarget[],
  maxBytes: number,
  context: RequestContext,
): Promise<Round> {
  let left = maxBytes
  let bytes = 0
  let isUrgent = false
  const responses: PartitionResponse[] = []
  while (responses.length < targets.length) {
    const minOneBatch = bytes === 0
    const next = targets.slice(responses.length)
    const group = minOneBatch ? next.slice(0, 1) : fitting(next, left)
    const read = await Promise.all(
      group.map((target) => readPartition(request, target, left, minOneBatch, context)),
    )
    for (const [index, response] of read.entries()) {
      left = Math.max(0, left - response.records.length)
      bytes += response.records.length
      isUrgent ||= group[index]!.log !== undefined && cannotWait(response)
    }
    responses.push(...read)
  }
  return { responses, bytes, isUrgent }
}

/** The first of them, and those after it that fit together with it whatever each of them gets. */
function fitting(targets: readonly FetchTarget[], bytesLeft: number): readonly FetchTarget[] {
  let count = 0
  for (let bytes = 0; count < targets.length; count++) {
    bytes += Math.max(0, targets[count]!.request.partitionMaxBytes)
    if (count > 0 && bytes > bytesLeft) break
  }
  return targets.slice(0, count)
}

/** That a topic is not there may wait: it will not be there in the next answer either. */
function cannotWait({ errorCode, divergingEpoch }: PartitionResponse): boolean {
  return errorCode !== ErrorCode.none || divergingEpoch !== undefined
}

/** The first batch of an answer is given whole however large it is: clients would get stuck. */
async function readPartition(
  { isolationLevel }: FetchRequest,
  { topic, request, log, errorCode }: FetchTarget,
  bytesLeft: number,
  minOneBatch: boolean,
  { broker, answerMemory }: RequestContext,
): Promise<PartitionResponse> {
  const { partition } = request
  if (!log || errorCode !== ErrorCode.none) return failure(partition, errorCode)
  const isCommitted = isolationLevel === readCommitted
  const upTo: ReadOptions['upTo'] = isCommitted ? 'lastStable' : 'highWatermark'
  try {
    const diverging = divergence(log, request)
    if (diverging === 'unknown') return failure(partition, ErrorCode.offsetOutOfRange)
    const maxBytes = diverging ? 0 : Math.min(request.partitionMaxBytes, bytesLeft)
    const from = diverging ? log.highWatermark : request.fetchOffset
    const result = await log.read(from, maxBytes, {
      minOneBatch,
      upTo,
      allocate: answerMemory.allocate,
    })
    if (result.errorCode !== ErrorCode.none) return failure(partition, result.errorCode)
    return {
      partitionIndex: partition,
      errorCode: ErrorCode.none,
      highWatermark: result.highWatermark,
      lastStableOffset: result.lastStableOffset,
      logStartOffset: result.logStartOffset,
      ...(diverging ? { divergingEpoch: diverging } : {}),
      abortedTransactions: isCommitted ? (result.abortedTransactions ?? []) : null,
      records: result.bytes,
    }
  } catch (error) {
    return failure(partition, broker.partitions.errorCodeOf(error, topic, partition))
  }
}

/**
 * Where the client's log and this one part, when what the client read last is not in this one
 * (KIP-595). Undefined when it is; 'unknown' when that cannot be told.
 */
function divergence(
  log: PartitionLog,
  { lastFetchedEpoch, fetchOffset }: PartitionRequest,
): { epoch: number; endOffset: number } | 'unknown' | undefined {
  if (lastFetchedEpoch < 0) return undefined
  const end = epochEnd(log, lastFetchedEpoch)
  if (!end) return 'unknown'
  return end.epoch < lastFetchedEpoch || end.endOffset < fetchOffset ? end : undefined
}

function failure(partitionIndex: number, errorCode: number): PartitionResponse {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    records: noRecords,
  }
}
