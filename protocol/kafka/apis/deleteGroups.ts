// Deletes groups that have no members.

import { array, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const deleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    groupsNames: array('0+', string),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      groupId: string('0+'),
      errorCode: int16('0+'),
    }),
  },
})
