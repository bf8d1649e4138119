// Lists the transactions that a broker coordinates, optionally by state and producer id.

import { array, int16, int32, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const listTransactions = api({
  key: 66,
  name: 'ListTransactions',
  versions: '0-2',
  flexibleFrom: 0,
  request: {
    stateFilters: array('0+', string),
    producerIdFilters: array('0+', int64),
    durationFilter: int64('1+', { default: -1 }),
    transactionalIdPattern: string('2+', { nullable: '2+', default: null }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    unknownStateFilters: array('0+', string),
    transactionStates: array('0+', {
      transactionalId: string('0+'),
      producerId: int64('0+'),
      transactionState: string('0+'),
    }),
  },
})
