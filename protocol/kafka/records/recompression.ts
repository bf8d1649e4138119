// Converts a record batch to another compression. Records have the same form compressed or not, so
// only size, codec and CRC in the header change; all other fields are copied.

import { type Compression, compress } from '../../bytes/compression.ts'
import { crc32c } from '../../bytes/crc32c.ts'
import {
  batchLengthPrefixBytes,
  type RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
} from './recordBatch.ts'

/** `records` are the uncompressed records of the batch. `level` as in `compress`. */
export function recompressed(
  batch: RecordBatch,
  records: Uint8Array,
  codec: Compression,
  level?: number,
): Buffer {
  const body = compress(codec, records, level)
  const result = Buffer.allocUnsafeSlow(recordBatchOverheadBytes + body.length)
  batch.bytes.copy(result, 0, batch.start, batch.start + recordBatchOverheadBytes)
  body.copy(result, recordBatchOverheadBytes)
  const attributes = (batch.attributes & ~RecordBatchAttribute.compressionMask) | codec
  result.writeInt32BE(result.length - batchLengthPrefixBytes, RecordBatchField.batchLength)
  result.writeInt16BE(attributes, RecordBatchField.attributes)
  result.writeUInt32BE(crc32c(result, RecordBatchField.attributes), RecordBatchField.crc)
  return result
}
