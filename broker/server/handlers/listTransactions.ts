// ListTransactions: lists the transactions that this broker coordinates, filtered by state,
// producer id, transactional id or duration.

import { listTransactions } from '../../../protocol/kafka/apis/listTransactions.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import type { RequestOf } from '../../../protocol/kafka/schema/schema.ts'
import { compilePattern, PatternError } from '../../re2Pattern.ts'
import type { TransactionMetadata } from '../../transactions/transactionMetadata.ts'
import {
  transactionStateName,
  transactionStateNames,
} from '../../transactions/transactionStateName.ts'
import { handler } from '../request/handler.ts'

type Request = RequestOf<typeof listTransactions>

export const listTransactionsHandler = handler(listTransactions, (request, { broker, access }) => {
  const { stateFilters, transactionalIdPattern } = request
  const pattern = transactionalIdPattern ? compilePattern(transactionalIdPattern) : undefined
  if (pattern instanceof PatternError) {
    const errorCode = ErrorCode.invalidRegularExpression
    return { errorCode, unknownStateFilters: [], transactionStates: [] }
  }
  if (broker.transactions.isLoading) {
    const errorCode = ErrorCode.coordinatorLoadInProgress
    return { errorCode, unknownStateFilters: [], transactionStates: [] }
  }
  const isWanted = filterOf(request, broker.clock.nowMs())
  const found = [...broker.transactions.transactions()].filter(
    ({ transactionalId, metadata }) =>
      isWanted(metadata) &&
      (!pattern || pattern.matches(transactionalId)) &&
      access.allows('describe', 'transactionalId', transactionalId),
  )
  return {
    errorCode: ErrorCode.none,
    unknownStateFilters: stateFilters.filter((name) => !transactionStateNames.has(name)),
    transactionStates: found.map(({ transactionalId, metadata }) => ({
      transactionalId,
      producerId: metadata.producerId,
      transactionState: transactionStateName(metadata.status),
    })),
  }
})

function filterOf({ stateFilters, producerIdFilters, durationFilter }: Request, nowMs: number) {
  const states = new Set(stateFilters)
  const producerIds = new Set(producerIdFilters)
  return ({ status, producerId, startTimestampMs }: TransactionMetadata): boolean => {
    if (states.size > 0 && !states.has(transactionStateName(status))) return false
    if (producerIds.size > 0 && !producerIds.has(producerId)) return false
    return durationFilter < 0 || nowMs - startTimestampMs > durationFilter
  }
}
