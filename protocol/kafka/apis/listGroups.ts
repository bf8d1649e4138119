// Lists the groups that a broker coordinates, optionally by state (version 4) and type (version 5).

import { array, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const listGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: '0-5',
  flexibleFrom: 3,
  request: {
    statesFilter: array('4+', string),
    typesFilter: array('5+', string),
  },
  response: {
    throttleTimeMs: int32('1+', { default: 0, ignorable: true }),
    errorCode: int16('0+'),
    groups: array('0+', {
      groupId: string('0+'),
      protocolType: string('0+'),
      groupState: string('4+', { ignorable: true }),
      groupType: string('5+', { ignorable: true }),
    }),
  },
})
