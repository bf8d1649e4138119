// One step of a SASL exchange: a token in each direction.

import { bytes, int16, int64, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const saslAuthenticate = api({
  key: 36,
  name: 'SaslAuthenticate',
  versions: '0-2',
  flexibleFrom: 2,
  request: {
    authBytes: bytes('0+'),
  },
  response: {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    authBytes: bytes('0+'),
    sessionLifetimeMs: int64('1+', { default: 0, ignorable: true }),
  },
})
