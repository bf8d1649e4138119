// SaslAuthenticate: refused, because no listener authenticates its clients yet.

import { saslAuthenticate } from '../../../protocol/kafka/apis/saslAuthenticate.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

export const saslAuthenticateHandler = handler(saslAuthenticate, () => ({
  errorCode: ErrorCode.illegalSaslState,
  errorMessage: 'this listener does not authenticate its clients',
  authBytes: Buffer.alloc(0),
}))
