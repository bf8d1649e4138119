// Commits or aborts a transaction. From version 5 the response has the bumped epoch (KIP-890).

import { bool, int16, int32, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const endTxn = api({
  key: 26,
  name: 'EndTxn',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    transactionalId: string('0+'),
    producerId: int64('0+'),
    producerEpoch: int16('0+'),
    committed: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    producerId: int64('5+', { default: -1, ignorable: true }),
    producerEpoch: int16('5+', { default: -1, ignorable: true }),
  },
})
