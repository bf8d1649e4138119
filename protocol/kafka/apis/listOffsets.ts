// Finds the offset for a timestamp, or the first offset (-2), the end offset (-1), the offset of
// the largest timestamp (-3), and others.

import { array, int8, int16, int32, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const listOffsets = api({
  key: 2,
  name: 'ListOffsets',
  versions: '1-10',
  flexibleFrom: 6,
  request: {
    replicaId: int32('0+'),
    isolationLevel: int8('2+'),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        currentLeaderEpoch: int32('4+', { default: -1, ignorable: true }),
        timestamp: int64('0+'),
      }),
    }),
    timeoutMs: int32('10+', { ignorable: true }),
  },
  response: {
    throttleTimeMs: int32('2+', { default: 0, ignorable: true }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        errorCode: int16('0+'),
        timestamp: int64('1+', { default: -1 }),
        offset: int64('1+', { default: -1 }),
        leaderEpoch: int32('4+', { default: -1 }),
      }),
    }),
  },
})
