// What requests about access control are told by a broker that has none: Kafka's own error, by which
// admin clients know that nobody is kept from anything.

import { ErrorCode } from '../../protocol/kafka/errors.ts'

export const noAuthorizer = {
  errorCode: ErrorCode.securityDisabled,
  errorMessage: 'No Authorizer is configured.',
} as const
