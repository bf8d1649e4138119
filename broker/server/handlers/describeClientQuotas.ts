// Lists the quotas of clients: none can be set, so there are none.

import { describeClientQuotas } from '../../../protocol/kafka/apis/describeClientQuotas.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { handler } from '../handler.ts'

export const describeClientQuotasHandler = handler(describeClientQuotas, () => ({
  errorCode: ErrorCode.none,
  errorMessage: null,
  entries: [],
}))
