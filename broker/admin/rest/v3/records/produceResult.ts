// The result of a produced record: its partition and offset, or its error.

import { Type } from 'typebox'
import type { StoredRecord } from '../../../../../protocol/client/producer/producer.ts'
import type { RestError } from '../../restError.ts'
import { nullable, type ResourceOf } from '../resource.ts'
import type { DataType, ReadRecord } from './produceRequest.ts'

const storedDataSchema = Type.Object({
  size: Type.Integer({ description: 'Size in bytes.' }),
  type: nullable(Type.Enum(['BINARY', 'JSON', 'STRING'])),
})

export const storedFields = {
  cluster_id: Type.Optional(Type.String()),
  topic_name: Type.Optional(Type.String()),
  partition_id: Type.Optional(Type.Integer()),
  offset: Type.Optional(Type.Integer()),
  timestamp: Type.Optional(nullable(Type.String())),
  key: Type.Optional(nullable(storedDataSchema)),
  value: Type.Optional(nullable(storedDataSchema)),
}

export const failureFields = {
  message: Type.Optional(Type.String({ description: 'What is wrong with the record.' })),
  code: Type.Optional(Type.String({ description: 'Stable name of the error, for scripts.' })),
  action: Type.Optional(Type.String({ description: 'What to do about it.' })),
}

export const produceResultSchema = Type.Object({
  error_code: Type.Integer({ description: '200 if the record was stored.' }),
  ...storedFields,
  ...failureFields,
})

export type ProduceResult = ResourceOf<typeof produceResultSchema>

export const stored = 200

export interface RecordPlace {
  readonly clusterId: string
  readonly topic: string
}

export function storedResult(
  { clusterId, topic }: RecordPlace,
  { record, keyType, valueType }: ReadRecord,
  { partition, offset }: StoredRecord,
): ProduceResult {
  return {
    error_code: stored,
    cluster_id: clusterId,
    topic_name: topic,
    partition_id: partition,
    offset,
    timestamp: new Date(record.timestampMs).toISOString(),
    ...(keyType === undefined ? {} : { key: storedData(keyType, record.key) }),
    ...(valueType === undefined ? {} : { value: storedData(valueType, record.value) }),
  }
}

export function failedResult({ errorCode, message, code, action }: RestError): ProduceResult {
  return { error_code: errorCode, message, code, action }
}

function storedData(type: DataType, bytes: Uint8Array | null | undefined) {
  return { size: bytes?.length ?? 0, type }
}
