// The error with which requests about access control are answered by a broker without it: Kafka's
// own, by which admin clients recognise that everything is allowed.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'

export const noAuthorizer = {
  errorCode: ErrorCode.securityDisabled,
  errorMessage: 'No Authorizer is configured.',
} as const
