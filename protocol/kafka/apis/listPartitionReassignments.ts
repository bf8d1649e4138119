// Lists the reassignments in progress.

import { array, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const listPartitionReassignments = api({
  key: 46,
  name: 'ListPartitionReassignments',
  versions: '0',
  flexibleFrom: 0,
  request: {
    timeoutMs: int32('0+', { default: 60000 }),
    topics: array(
      '0+',
      {
        name: string('0+'),
        partitionIndexes: array('0+', int32),
      },
      { nullable: '0+', default: null },
    ),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    topics: array('0+', {
      name: string('0+'),
      partitions: array('0+', {
        partitionIndex: int32('0+'),
        replicas: array('0+', int32),
        addingReplicas: array('0+', int32),
        removingReplicas: array('0+', int32),
      }),
    }),
  },
})
