// The same record batch in another compression. Records lie in a batch as they do uncompressed, so
// that only the header's size, codec and CRC change; everything else is copied as it is.

import { type Compression, compress } from '../bytes/compression.ts'
import { crc32c } from '../bytes/crc32c.ts'
import {
  batchLengthPrefixBytes,
  type RecordBatch,
  RecordBatchAttribute,
  RecordBatchField,
  recordBatchOverheadBytes,
} from './recordBatch.ts'

/** `records` are those of the batch, not compressed. `level` is as `compress` takes it. */
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
