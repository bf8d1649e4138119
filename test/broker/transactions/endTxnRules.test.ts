// The table of KIP-890: the decision for a request to end a transaction, by the state of the last
// transaction, the requested outcome, and the epoch of the request.

import { describe, expect, test } from 'vitest'
import { decideEndTxn } from '../../../broker/transactions/endTxnRules.ts'
import {
  type ClientTransactionVersion,
  completed,
  initialized,
  maxEpoch,
  prepared,
  type TransactionMetadata,
  withPartitions,
} from '../../../broker/transactions/transactionMetadata.ts'
import { errorName } from '../../../protocol/kafka/errors.ts'

const producerId = 7
const partitions = [{ topic: 't', partition: 0 }]

function ended(committed: boolean, version: ClientTransactionVersion, next = -1, epoch = 4) {
  const begun = { ...initialized(producerId, 1000, 0), producerEpoch: epoch }
  const end = { committed, clientTransactionVersion: version }
  return completed(prepared(withPartitions(begun, partitions, version, 1), end, next, 2), 3)
}

function ask(
  metadata: TransactionMetadata,
  committed: boolean,
  producerEpoch: number,
  clientTransactionVersion: ClientTransactionVersion,
  of = producerId,
): string {
  const request = { producerId: of, producerEpoch, committed, clientTransactionVersion }
  const decision = decideEndTxn(metadata, false, request)
  return decision.kind === 'refused' ? errorName(decision.errorCode) : decision.kind
}

describe('version 2', () => {
  const empty = { ...initialized(producerId, 1000, 0), producerEpoch: 5 }
  const rows: readonly (readonly [string, TransactionMetadata, readonly string[]])[] = [
    // Abort with the previous epoch, and with the current one. Commit with the same.
    ['Empty', empty, ['PRODUCER_FENCED', 'begin', 'PRODUCER_FENCED', 'INVALID_TXN_STATE']],
    [
      'CompleteAbort',
      ended(false, 2),
      ['alreadyDone', 'begin', 'INVALID_TXN_STATE', 'INVALID_TXN_STATE'],
    ],
    [
      'CompleteCommit',
      ended(true, 2),
      ['INVALID_TXN_STATE', 'begin', 'alreadyDone', 'INVALID_TXN_STATE'],
    ],
    [
      'Ongoing',
      withPartitions(empty, partitions, 2, 1),
      ['PRODUCER_FENCED', 'begin', 'PRODUCER_FENCED', 'begin'],
    ],
  ]
  test.each(rows)('%s', (_, metadata, expected) => {
    const epochs = [4, 5]
    const answers = [false, true].flatMap((committed) =>
      epochs.map((epoch) => ask(metadata, committed, epoch, 2)),
    )
    expect(answers).toEqual(expected)
  })

  test('a request with the last epoch of the previous producer id is a retry', () => {
    const metadata = ended(true, 2, 8, maxEpoch - 1)
    expect(metadata).toMatchObject({ producerId: 8, producerEpoch: 0 })
    expect(ask(metadata, true, maxEpoch - 1, 2)).toBe('alreadyDone')
    expect(ask(metadata, false, maxEpoch - 1, 2)).toBe('INVALID_TXN_STATE')
    expect(ask(metadata, true, 3, 2)).toBe('INVALID_PRODUCER_ID_MAPPING')
  })

  test('a request of a producer that one of version 0 has replaced is not a retry', () => {
    expect(ask(ended(true, 0), true, 3, 2)).toBe('PRODUCER_FENCED')
  })
})

describe('version 0', () => {
  test('a request with the current epoch may repeat the last outcome, and no other', () => {
    const committed = ended(true, 0)
    expect(ask(committed, true, 4, 0)).toBe('alreadyDone')
    expect(ask(committed, false, 4, 0)).toBe('INVALID_TXN_STATE')
    expect(ask(committed, true, 3, 0)).toBe('PRODUCER_FENCED')
    expect(ask(committed, true, 4, 0, 9)).toBe('INVALID_PRODUCER_ID_MAPPING')
    expect(ask(initialized(producerId, 1000, 0), false, 0, 0)).toBe('INVALID_TXN_STATE')
  })
})
