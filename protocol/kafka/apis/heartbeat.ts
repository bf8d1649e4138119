// The heartbeat of a classic group member; the response tells the member to rejoin during a
// rebalance.

import { int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: '0-4',
  flexibleFrom: 4,
  request: {
    groupId: string('0+'),
    generationId: int32('0+'),
    memberId: string('0+'),
    groupInstanceId: string('3+', { nullable: '3+', default: null }),
  },
  response: {
    throttleTimeMs: int32('1+', { default: 0, ignorable: true }),
    errorCode: int16('0+'),
  },
})
