// Triggers leader elections on request of an operator.

import { array, int8, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const ElectionType = { preferred: 0, unclean: 1 } as const

export const electLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    electionType: int8('1+', { default: ElectionType.preferred }),
    topicPartitions: array(
      '0+',
      {
        topic: string('0+'),
        partitions: array('0+', int32),
      },
      { nullable: '0+' },
    ),
    timeoutMs: int32('0+', { default: 60000 }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('1+'),
    replicaElectionResults: array('0+', {
      topic: string('0+'),
      partitionResult: array('0+', {
        partitionId: int32('0+'),
        errorCode: int16('0+'),
        errorMessage: string('0+', { nullable: '0+' }),
      }),
    }),
  },
})
