// Selects a SASL mechanism. Version 1 continues with SaslAuthenticate, version 0 with bare tokens.

import { array, int16, string } from '../schema/fields.ts'
import { api } from '../schema/schema.ts'

export const saslHandshake = api({
  key: 17,
  name: 'SaslHandshake',
  versions: '0-1',
  flexibleFrom: Infinity,
  request: {
    mechanism: string('0+'),
  },
  response: {
    errorCode: int16('0+'),
    mechanisms: array('0+', string),
  },
})
