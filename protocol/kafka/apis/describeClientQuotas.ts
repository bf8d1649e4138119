// The quotas of clients, by user, client id and address.

import { array, bool, float64, int8, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const describeClientQuotas = api({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: '0-1',
  flexibleFrom: 1,
  request: {
    components: array('0+', {
      entityType: string('0+'),
      matchType: int8('0+'),
      match: string('0+', { nullable: '0+' }),
    }),
    strict: bool('0+'),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    entries: array(
      '0+',
      {
        entity: array('0+', {
          entityType: string('0+'),
          entityName: string('0+', { nullable: '0+' }),
        }),
        values: array('0+', {
          key: string('0+'),
          value: float64('0+'),
        }),
      },
      { nullable: '0+' },
    ),
  },
})
