// Reads for Fetch: makes rounds over the wanted partitions until there are enough bytes, an answer
// cannot wait, or the time is up. Returns whole batches as they are stored; the first batch may
// begin before the requested offset.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { AbortedTransaction, ReadOptions } from '../../log/readResult.ts'
import type { Partition } from '../../replication/partition.ts'
import type { RequestContext } from '../request/requestContext.ts'
import type { FetchRequest, PartitionRequest, WantedPartition } from './fetchSessions.ts'
import { FetchWait } from './fetchWait.ts'

/** A partition to read, or its error code. */
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
  /** Numbers of the partitions with records in the response. */
  readonly filled: readonly number[]
  /** Whether a partition has an answer that cannot wait. */
  readonly isUrgent: boolean
}

const readCommitted = 1
const noRecords = Buffer.alloc(0)
/** The response counts as full after this many batches that did not fit. */
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
 * Reads until there are `minBytes`, an answer cannot wait, or the time is up; `maxBytes` at most.
 * Partitions without new records are not read again, of which there can be thousands.
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
  // Created before the first read, so that records appended during it are not missed.
  const wait = new FetchWait(partitions, broker.clock, request.maxWaitMs, stopWaiting)
  const responses: PartitionResponse[] = []
  let due: readonly number[] = [...targets.keys()]
  try {
    while (true) {
      const mayRead = await answerMemory.reserve(maxBytes)
      const round = await readRound(request, targets, due, responses, mayRead, context)
      answerMemory.keep(round.bytes)
      const minBytes = Math.min(request.minBytes, mayRead)
      const isForced = broker.rarePoints.isForced('fetch answered early')
      const enough = isForced || round.bytes >= minBytes || round.isUrgent || !hasLogs
      if (enough) return responses
      requestFigures.waitingFetches++
      const appended = await wait.forAppend()
      requestFigures.waitingFetches--
      if (!appended) return responses
      // Partitions with records are read again, because the next reservation frees their memory.
      due = [...new Set([...appended, ...round.filled])].sort((one, other) => one - other)
    }
  } finally {
    record.waitedMs += wait.waitedMs
    wait.end()
  }
}

/**
 * Reads each partition that is due, in the order of the request, into `responses`, up to `maxBytes`
 * in total. After the first batch, partitions whose own limits fit into the remaining bytes are
 * read concurrently. The response counts as full when several reads returned nothing because no
 * batch fits.
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
    // A partition whose own limit does not fit is read alone.
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

/**
 * Returns the end of the run from `due[first]` on whose limits fit into `bytesLeft` together. The
 * run has at least one partition.
 */
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

/** Whether the partition has more records, but no batch fits into the remaining bytes. */
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

/** Whether a response is sent at once: an error of an existing partition, or a diverging epoch. */
function cannotWait({ errorCode, divergingEpoch }: PartitionResponse): boolean {
  return errorCode !== ErrorCode.none || divergingEpoch !== undefined
}

/**
 * Reads one partition. The first batch of a response is returned whatever its size, so that clients
 * make progress.
 */
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
 * Returns the end of the largest common epoch, if the last records that the client has read are not
 * in this log (KIP-595). Undefined if they are; 'unknown' if this log does not know the epoch.
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
