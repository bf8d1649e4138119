// The error for requests about access control of a broker without it: Kafka's own, by which admin
// clients recognize that everything is allowed.

import { ErrorCode } from '../../../protocol/kafka/errors.ts'

export const noAuthorizer = {
  errorCode: ErrorCode.securityDisabled,
  errorMessage: 'No Authorizer is configured.',
} as const
