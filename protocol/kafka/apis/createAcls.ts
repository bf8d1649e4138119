// Creates ACLs.

import { array, int8, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const createAcls = api({
  key: 30,
  name: 'CreateAcls',
  versions: '1-3',
  flexibleFrom: 2,
  request: {
    creations: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      resourcePatternType: int8('1+', { default: 3 }),
      principal: string('0+'),
      host: string('0+'),
      operation: int8('0+'),
      permissionType: int8('0+'),
    }),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    results: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  },
})
