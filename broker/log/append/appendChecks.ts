// Checks a batch by its header alone, independent of the content of the log. Pure functions:
// nothing is changed, and records are not decoded (recordValidation.ts does that).

import { MalformedError } from '../../../protocol/bytes/malformed.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type RecordBatch, validateBatch } from '../../../protocol/kafka/records/recordBatch.ts'
import type { LogConfig } from '../logConfig.ts'
import type { AppendOrigin } from './appendResult.ts'
import { type Refusal, refuse } from './refusal.ts'

/** `nextOffset` is the lowest offset that the batch may have. */
export function checkHeader(
  batch: RecordBatch,
  origin: AppendOrigin,
  nextOffset: number,
  config: LogConfig,
): Refusal | undefined {
  const { maxMessageBytes } = config
  if (origin === 'client' && batch.isComplete() && batch.sizeInBytes > maxMessageBytes) {
    const size = `${batch.sizeInBytes} bytes, max.message.bytes is ${maxMessageBytes}`
    return refuse(ErrorCode.messageTooLarge, `record batch of ${size}`)
  }
  try {
    validateBatch(batch, { maxBytes: Number.MAX_SAFE_INTEGER })
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    const code = batch.isCrcValid() ? ErrorCode.invalidRecord : ErrorCode.corruptMessage
    return refuse(code, error.message)
  }
  if (origin === 'replication') {
    if (batch.baseOffset >= nextOffset) return undefined
    return refuse(ErrorCode.invalidRecord, `offset ${batch.baseOffset} after ${nextOffset - 1}`)
  }
  if (origin === 'coordinator') return undefined
  return checkClientBatch(batch, config)
}

function checkClientBatch(batch: RecordBatch, config: LogConfig): Refusal | undefined {
  if (batch.isControl)
    return refuse(ErrorCode.invalidRecord, 'clients must not write control batches')
  if (batch.baseOffset !== 0) {
    return refuse(
      ErrorCode.invalidRecord,
      `the base offset of a client's batch must be 0, not ${batch.baseOffset}`,
    )
  }
  if (batch.isTransactional && batch.producerId < 0) {
    return refuse(ErrorCode.invalidRecord, 'a transactional batch needs a producer id')
  }
  if (batch.recordCount !== batch.lastOffsetDelta + 1) {
    const counts = `${batch.recordCount} records in ${batch.lastOffsetDelta + 1} offsets`
    return refuse(ErrorCode.invalidRecord, counts)
  }
  if (batch.timestampType === 'logAppend' && config.messageTimestampType === 'CreateTime') {
    return refuse(ErrorCode.invalidTimestamp, 'clients must not send batches with log append time')
  }
  return undefined
}
