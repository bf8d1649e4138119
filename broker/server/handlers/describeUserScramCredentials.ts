// DescribeUserScramCredentials: no user has SCRAM credentials, because none can be set.

import { describeUserScramCredentials } from '../../../protocol/kafka/apis/describeUserScramCredentials.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

export const describeUserScramCredentialsHandler = handler(
  describeUserScramCredentials,
  ({ users }) => ({
    errorCode: ErrorCode.none,
    errorMessage: null,
    results: (users ?? []).map(({ name }) => ({
      user: name,
      errorCode: ErrorCode.resourceNotFound,
      errorMessage: `user ${name} has no SCRAM credentials`,
      credentialInfos: [],
    })),
  }),
)
