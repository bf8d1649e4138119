// DescribeClientQuotas: always empty, because no quota can be set.

import { describeClientQuotas } from '../../../protocol/kafka/apis/describeClientQuotas.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../request/handler.ts'

export const describeClientQuotasHandler = handler(describeClientQuotas, () => ({
  errorCode: ErrorCode.none,
  errorMessage: null,
  entries: [],
}))
