// Assigns an id and an epoch to an idempotent or transactional producer, and fences its
// predecessors. Version 6 is unstable in Kafka 4.1: it is declared but not used.

import { bool, int16, int32, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const initProducerId = api({
  key: 22,
  name: 'InitProducerId',
  versions: '0-5',
  flexibleFrom: 2,
  request: {
    transactionalId: string('0+', { nullable: '0+' }),
    transactionTimeoutMs: int32('0+'),
    producerId: int64('3+', { default: -1 }),
    producerEpoch: int16('3+', { default: -1 }),
    enable2Pc: bool('6+', { default: false }),
    keepPreparedTxn: bool('6+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    producerId: int64('0+', { default: -1 }),
    producerEpoch: int16('0+'),
    ongoingTxnProducerId: int64('6+', { default: -1 }),
    ongoingTxnProducerEpoch: int16('6+', { default: -1 }),
  },
})
