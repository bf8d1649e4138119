// Deletes the committed offsets of a group for some partitions.

import { array, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const offsetDelete = api({
  key: 47,
  name: 'OffsetDelete',
  versions: '0',
  flexibleFrom: Infinity,
  request: {
    groupId: string('0+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
      }),
    }),
  },
  response: {
    errorCode: int16('0+'),
    throttleTimeMs: int32('0+', { default: 0 }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
      }),
    }),
  },
})
