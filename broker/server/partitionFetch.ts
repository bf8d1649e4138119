// Reads for Fetch: rounds over the wanted partitions, each read once, until there are enough bytes,
// something has to be said at once, or time is up. Whole batches, in the bytes they were stored
// with; a batch may begin before the offset that was asked for.

import { ErrorCode } from '../../protocol/kafka/errors.ts'
import type { AbortedTransaction, ReadOptions } from '../log/readResult.ts'
import type { Partition } from '../replication/partition.ts'
import type { FetchRequest, PartitionRequest, WantedPartition } from './fetchSessions.ts'
import { FetchWait } from './fetchWait.ts'
import type { RequestContext } from './requestContext.ts'

/** One partition to read, or the reason why not. */
export interface FetchTarget {
  readonly topic: string
  readonly topicId: string
  readonly request: PartitionRequest
  readonly partition: Partition | undefined
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
  readonly bytes: number
  /** The numbers of the partitions that have records in the answer now. */
  readonly filled: readonly number[]
  /** A log has something to say that cannot wait. */
  readonly isUrgent: boolean
}

const readCommitted = 1
const noRecords = Buffer.alloc(0)
/** Smaller batches may come after one that does not fit, but not for long. */
const maxCutShort = 4

export async function findTargets(
  wanted: readonly WantedPartition[],
  byId: boolean,
  { broker }: RequestContext,
): Promise<FetchTarget[]> {
  const { controller, replicas } = broker
  const targets: FetchTarget[] = []
  for (const { topic: name, topicId, request } of wanted) {
    const topic = byId ? controller.state.topicById(topicId) : controller.state.topic(name)
    const partition =
      topic &&
      (replicas.partition(topic.name, request.partition) ??
        (await replicas.readable(topic, request.partition)))
    const missing =
      byId && !topic
        ? ErrorCode.unknownTopicId
        : replicas.errorCodeOfMissing(topic, request.partition)
    const errorCode = partition ? partition.leaderEpochError(request.currentLeaderEpoch) : missing
    targets.push({ topic: topic?.name ?? name, topicId, request, partition, errorCode })
  }
  return targets
}

/**
 * Reads until there are `minBytes`, something is wrong, or time is up: `maxBytes` at most. Of thousands of
 * partitions only those are read again that have got more.
 */
export async function readEnough(
  request: FetchRequest,
  targets: readonly FetchTarget[],
  maxBytes: number,
  context: RequestContext,
): Promise<PartitionResponse[]> {
  const { answerMemory, broker, stopWaiting, record } = context
  const { requestFigures } = broker
  const partitions = targets.map(({ partition }) => partition)
  const hasLogs = partitions.some((partition) => partition !== undefined)
  // Before the first read, so that nothing appended during it goes unnoticed.
  const wait = new FetchWait(partitions, broker.clock, request.maxWaitMs, stopWaiting)
  const responses: PartitionResponse[] = []
  let due: readonly number[] = [...targets.keys()]
  try {
    while (true) {
      const mayRead = await answerMemory.reserve(maxBytes)
      const round = await readRound(request, targets, due, responses, mayRead, context)
      answerMemory.keep(round.bytes)
      const minBytes = Math.min(request.minBytes, mayRead)
      const enough = round.bytes >= minBytes || round.isUrgent || !hasLogs
      if (enough) return responses
      requestFigures.waitingFetches++
      const appended = await wait.forAppend()
      requestFigures.waitingFetches--
      if (!appended) return responses
      // What was read is read again, for its memory is given back with the next reservation.
      due = [...new Set([...appended, ...round.filled])].sort((one, other) => one - other)
    }
  } finally {
    record.waitedMs += wait.waitedMs
    wait.end()
  }
}

/**
 * Asks each partition that is due once, in the order of the request, into `responses`, and reads up to
 * the limit in all. Once there is a batch to answer with, those whose own limits fit into what is left are
 * read at the same time. When some have been read for nothing, as not one batch fits into what is left, the
 * answer is full: of thousands of partitions all would be.
 */
async function readRound(
  request: FetchRequest,
  targets: readonly FetchTarget[],
  due: readonly number[],
  responses: PartitionResponse[],
  maxBytes: number,
  context: RequestContext,
): Promise<Round> {
  let left = maxBytes
  let bytes = 0
  let isUrgent = false
  let cutShort = 0
  const filled: number[] = []
  for (let first = 0; first < due.length; ) {
    const minOneBatch = bytes === 0
    const end = minOneBatch ? first + 1 : fitting(targets, due, first, left)
    const group = due.slice(first, end)
    const read = await Promise.all(
      group.map((number) => readPartition(request, targets[number]!, left, minOneBatch, context)),
    )
    // One whose own limit does not fit is read alone.
    if (wasCutShort(request, targets[group[0]!]!, read[0]!, left)) cutShort++
    if (cutShort === maxCutShort) left = 0
    for (const [index, response] of read.entries()) {
      const number = group[index]!
      const { length } = response.records
      responses[number] = response
      left = Math.max(0, left - length)
      bytes += length
      if (length > 0) filled.push(number)
      isUrgent ||= targets[number]!.partition !== undefined && cannotWait(response)
    }
    first = end
  }
  return { bytes, filled, isUrgent }
}

/** Where those end that fit together from `due[first]` on, whatever each of them gets: after it at least. */
function fitting(
  targets: readonly FetchTarget[],
  due: readonly number[],
  first: number,
  bytesLeft: number,
): number {
  if (bytesLeft === 0) return due.length
  let end = first
  for (let bytes = 0; end < due.length; end++) {
    bytes += Math.max(0, targets[due[end]!]!.request.partitionMaxBytes)
    if (end > first && bytes > bytesLeft) break
  }
  return end
}

/** There is more for the client, of which not one batch fits into what was left. */
function wasCutShort(
  { isolationLevel }: FetchRequest,
  { request }: FetchTarget,
  { errorCode, records, highWatermark, lastStableOffset, divergingEpoch }: PartitionResponse,
  bytesLeft: number,
): boolean {
  if (errorCode !== ErrorCode.none || records.length > 0 || divergingEpoch) return false
  const end = isolationLevel === readCommitted ? lastStableOffset : highWatermark
  return request.partitionMaxBytes > bytesLeft && request.fetchOffset < end
}

/** That a topic is not there may wait: it will not be there in the next answer either. */
function cannotWait({ errorCode, divergingEpoch }: PartitionResponse): boolean {
  return errorCode !== ErrorCode.none || divergingEpoch !== undefined
}

/** The first batch of an answer is given whole however large it is: clients would get stuck. */
async function readPartition(
  { isolationLevel }: FetchRequest,
  { topic, request, partition: source, errorCode }: FetchTarget,
  bytesLeft: number,
  minOneBatch: boolean,
  { broker, answerMemory }: RequestContext,
): Promise<PartitionResponse> {
  const { partition } = request
  if (!source || errorCode !== ErrorCode.none) return failure(partition, errorCode)
  const isCommitted = isolationLevel === readCommitted
  const upTo: ReadOptions['upTo'] = isCommitted ? 'lastStable' : 'highWatermark'
  try {
    const { log } = source
    const diverging = divergence(source, request)
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
    return failure(partition, broker.replicas.errorCodeOf(error, topic, partition))
  }
}

/**
 * Where the client's log and this one part, when what the client read last is not in this one
 * (KIP-595). Undefined when it is; 'unknown' when that cannot be told.
 */
function divergence(
  partition: Partition,
  { lastFetchedEpoch, fetchOffset }: PartitionRequest,
): { epoch: number; endOffset: number } | 'unknown' | undefined {
  if (lastFetchedEpoch < 0) return undefined
  const end = partition.endOffsetForEpoch(lastFetchedEpoch, 'consumer')
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
