// Begins an authentication. No listener asks for one yet, and there a handshake is out of place.

import { saslHandshake } from '../../../protocol/kafka/apis/saslHandshake.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'

export const saslHandshakeHandler = handler(saslHandshake, () => ({
  errorCode: ErrorCode.illegalSaslState,
  mechanisms: [],
}))
