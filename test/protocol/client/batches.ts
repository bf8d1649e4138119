// Encoded batches for the client's tests.

import type { ProducerIdentity } from '../../../protocol/client/producer/batchSender.ts'
import { RecordBatchBuilder } from '../../../protocol/kafka/records/recordBatchBuilder.ts'

/** One batch with a record per value; with an identity it is sequenced from `baseSequence`. */
export function encodedBatch(
  values: readonly string[],
  identity?: ProducerIdentity,
  baseSequence = 0,
): Buffer {
  const builder = new RecordBatchBuilder(identity ? { ...identity, baseSequence } : {})
  for (const value of values) builder.append(1_000, null, Buffer.from(value))
  return builder.build()
}
