// Lists the resources that have configurations. Version 0 supports client metrics only; from
// version 1 the client gives the types, and none means all.

import { array, int8, int16, int32, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const listConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: '0-1',
  flexibleFrom: 0,
  request: {
    resourceTypes: array('1+', int8),
  },
  response: {
    throttleTimeMs: int32('0+', { default: 0 }),
    errorCode: int16('0+'),
    configResources: array('0+', {
      resourceName: string('0+'),
      resourceType: int8('1+', { default: 16, ignorable: true }),
    }),
  },
})
