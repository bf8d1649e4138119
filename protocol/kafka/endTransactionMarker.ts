// The batch that ends a transaction in one partition: a control batch of one record, whose key says
// commit or abort and whose value says which coordinator wrote it. It lies in the log behind the
// transaction's records and takes an offset, but no consumer ever shows it.

import { MalformedError } from '../bytes/malformed.ts'
import type { RecordBatch } from './recordBatch.ts'
import { RecordBatchBuilder } from './recordBatchBuilder.ts'
import { RecordCursor } from './recordCursor.ts'
import {
  ControlRecordType,
  decodeControlRecordKey,
  encodeControlRecordKey,
  endTxnMarker,
} from './transactionRecords.ts'

/** What the record of a marker says. */
export interface EndTransactionMarker {
  readonly isCommit: boolean
  /** The epoch of the coordinator's leadership: an older coordinator's marker is refused. */
  readonly coordinatorEpoch: number
}

/** Whose transaction ends. With KIP-890 the epoch is the one that the producer goes on with. */
export interface MarkedProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** A marker is short and is not compressed; this only bounds what a damaged one can cost. */
const maxMarkerBytes = 4096

export function buildEndTransactionMarker(
  { producerId, producerEpoch }: MarkedProducer,
  { isCommit, coordinatorEpoch }: EndTransactionMarker,
  timestampMs: number,
): Buffer {
  const builder = new RecordBatchBuilder({
    producerId,
    producerEpoch,
    isTransactional: true,
    isControl: true,
  })
  const type = isCommit ? ControlRecordType.commit : ControlRecordType.abort
  builder.append(
    timestampMs,
    encodeControlRecordKey(type),
    endTxnMarker.encode({ coordinatorEpoch }),
  )
  return builder.build()
}

/**
 * Undefined for a control batch that ends no transaction: of another type, emptied by compaction
 * (then its transaction is gone, too), or malformed.
 */
export function readEndTransactionMarker(batch: RecordBatch): EndTransactionMarker | undefined {
  try {
    const cursor = new RecordCursor(batch, maxMarkerBytes)
    if (!cursor.next() || cursor.keyStart < 0 || cursor.valueStart < 0) return undefined
    const { bytes } = cursor
    const type = decodeControlRecordKey(bytes.subarray(cursor.keyStart, cursor.keyEnd))
    const isCommit = type === ControlRecordType.commit
    if (!isCommit && type !== ControlRecordType.abort) return undefined
    const value = endTxnMarker.decode(bytes.subarray(cursor.valueStart, cursor.valueEnd))
    return { isCommit, coordinatorEpoch: value.coordinatorEpoch }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    return undefined
  }
}
