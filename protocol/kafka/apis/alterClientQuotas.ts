// Sets or removes quotas of clients.

import { array, bool, float64, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const alterClientQuotas = api({
  key: 49,
  name: 'AlterClientQuotas',
  versions: '0-1',
  flexibleFrom: 1,
  request: {
    entries: array('0+', {
      entity: array('0+', {
        entityType: string('0+'),
        entityName: string('0+', { nullable: '0+' }),
      }),
      ops: array('0+', {
        key: string('0+'),
        value: float64('0+'),
        remove: bool('0+'),
      }),
    }),
    validateOnly: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    entries: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
      entity: array('0+', {
        entityType: string('0+'),
        entityName: string('0+', { nullable: '0+' }),
      }),
    }),
  },
})
