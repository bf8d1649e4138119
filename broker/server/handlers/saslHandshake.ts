// SaslHandshake: refused, because no listener authenticates its clients yet.

import { saslHandshake } from '../../../protocol/kafka/apis/saslHandshake.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

export const saslHandshakeHandler = handler(saslHandshake, () => ({
  errorCode: ErrorCode.illegalSaslState,
  mechanisms: [],
}))
