// Appends that wait for the transaction coordinator, over a real log: their order, which other
// appends they delay, and the answer to a producer that must not write.

import { beforeEach, describe, expect, it } from 'vitest'
import type { PartitionLog } from '../../../../broker/log/partitionLog.ts'
import { Partition } from '../../../../broker/replication/partition.ts'
import { TransactionalAppends } from '../../../../broker/server/transactions/transactionalAppends.ts'
import { MemoryAllowance } from '../../../../protocol/bytes/memoryAllowance.ts'
import { ErrorCode, errorName } from '../../../../protocol/kafka/errors.ts'
import { RecordBatch, splitBatches } from '../../../../protocol/kafka/records/recordBatch.ts'
import { until } from '../../../eventLoop.ts'
import { diskWithData, makeBatch, openLog } from '../../log/logFixture.ts'

describe('TransactionalAppends', () => {
  let log: PartitionLog
  let partition: Partition
  let questions: ((errorCode: number) => void)[]
  let appends: TransactionalAppends

  beforeEach(async () => {
    log = await openLog(await diskWithData())
    partition = new Partition({ topic: 't', partition: 0, nodeId: 0, log })
    questions = []
    appends = new TransactionalAppends({
      verify: () => new Promise((resolve) => questions.push(resolve)),
    })
  })

  function write(producerId: number, baseSequence: number, apiVersion = 12) {
    const spec = { records: 1, producerId, producerEpoch: 0, baseSequence, isTransactional: true }
    const bytes = makeBatch(spec)
    const target = { transactionalId: 'tx', partition, acks: 'all', apiVersion } as const
    const first = new RecordBatch(bytes)
    const decompression = new MemoryAllowance(1000)
    const appended = appends.append({ ...target, bytes, first, decompression })
    return appended.then(({ errorCode }) => errorName(errorCode))
  }

  /** The coordinator answers its oldest request, as soon as there is one. */
  async function answer(errorCode: number): Promise<void> {
    await until(() => questions.length > 0)
    questions.shift()!(errorCode)
  }

  async function written(): Promise<string[]> {
    const { bytes } = await log.read(0, 100_000)
    const batches = [...splitBatches(bytes)]
    return batches.map(({ producerId, baseSequence }) => `${producerId}/${baseSequence}`)
  }

  it('keeps the order of a producer, and delays no other one', async () => {
    const first = [0, 1, 2].map((sequence) => write(1, sequence))
    const other = write(2, 0)
    await answer(ErrorCode.none)
    await answer(ErrorCode.none)
    expect(await Promise.all([...first, other])).toEqual(Array(4).fill('NONE'))
    const order = await written()
    expect(order.filter((each) => each.startsWith('1'))).toEqual(['1/0', '1/1', '1/2'])
    expect(questions, 'one question opens a transaction').toEqual([])
    expect(await Promise.all([write(1, 3), write(2, 1)])).toEqual(['NONE', 'NONE'])
    expect(await written()).toHaveLength(6)
  })

  it('appends no later batch of a producer ahead of a refused one', async () => {
    const writes = [0, 1].map((sequence) => write(1, sequence))
    await answer(ErrorCode.coordinatorNotAvailable)
    await answer(ErrorCode.none)
    expect(await Promise.all(writes)).toEqual([
      'NOT_ENOUGH_REPLICAS',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
    ])
    const again = [0, 1].map((sequence) => write(1, sequence))
    await answer(ErrorCode.none)
    expect(await Promise.all(again)).toEqual(['NONE', 'NONE'])
    expect(await written()).toEqual(['1/0', '1/1'])
  })

  it.each([
    [10, ErrorCode.transactionAbortable, 'INVALID_TXN_STATE'],
    [11, ErrorCode.transactionAbortable, 'TRANSACTION_ABORTABLE'],
    [11, ErrorCode.concurrentTransactions, 'NOT_ENOUGH_REPLICAS'],
    [12, ErrorCode.concurrentTransactions, 'CONCURRENT_TRANSACTIONS'],
    [12, ErrorCode.notCoordinator, 'NOT_ENOUGH_REPLICAS'],
    [12, ErrorCode.producerFenced, 'INVALID_PRODUCER_EPOCH'],
    [12, ErrorCode.invalidProducerIdMapping, 'INVALID_PRODUCER_ID_MAPPING'],
  ])('answers in version %i to error %i: %s', async (apiVersion, errorCode, name) => {
    const refused = write(1, 0, apiVersion)
    await answer(errorCode)
    expect(await refused).toBe(name)
  })
})
