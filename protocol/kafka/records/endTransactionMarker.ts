// The batch that ends a transaction in one partition: a control batch with one record, whose key
// says commit or abort and whose value has the coordinator epoch. It takes an offset after the
// records of the transaction; consumers never return it.

import { MalformedError } from '../../bytes/malformed.ts'
import {
  ControlRecordType,
  decodeControlRecordKey,
  encodeControlRecordKey,
  endTxnMarker,
} from '../coordinators/transactionRecords.ts'
import type { RecordBatch } from './recordBatch.ts'
import { RecordBatchBuilder } from './recordBatchBuilder.ts'
import { RecordCursor } from './recordCursor.ts'

/** The content of a marker. */
export interface EndTransactionMarker {
  readonly isCommit: boolean
  /** Epoch of the coordinator: markers of older coordinators are refused. */
  readonly coordinatorEpoch: number
}

/**
 * The producer whose transaction ends. With KIP-890, `producerEpoch` is the one it continues with.
 */
export interface MarkedProducer {
  readonly producerId: number
  readonly producerEpoch: number
}

/** A marker is short and uncompressed; this bounds the cost of a corrupt one. */
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
 * Returns undefined for a control batch that ends no transaction: of another type, emptied by
 * compaction (then its transaction is gone as well), or malformed.
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
