// The limit on the appends that a log holds: appends beyond it are refused with a retriable error,
// and appends are accepted again when the disk has caught up.

import { expect, test } from 'vitest'
import { HeldAppends } from '../../../../broker/log/append/heldAppends.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { append, diskWithData, makeBatch, openLog, smallConfig } from '../logFixture.ts'

const { length } = makeBatch({ records: 1 })

test('appends beyond the bound are refused, and the others keep their order', async () => {
  const config = { ...smallConfig, maxPendingBytes: length }
  const log = await openLog(await diskWithData(), { config })
  const appends = Array.from({ length: 30 }, () => append(log, { records: 1 }))
  expect(log.heldBytes).toBe(16 * length)
  const results = await Promise.all(appends)
  const accepted = results.filter(({ errorCode }) => errorCode === ErrorCode.none)
  expect(accepted.map(({ baseOffset }) => baseOffset)).toEqual([...Array(17).keys()])
  const refused = results.filter(({ errorCode }) => errorCode === ErrorCode.kafkaStorageError)
  expect([accepted.length + refused.length, log.heldBytes]).toEqual([30, 0])
  expect(refused[0]?.errorMessage).toContain('retry later')
  expect((await append(log, { records: 1 })).errorCode).toBe(ErrorCode.none)
  await log.close()
})

test('one append is always held, however large', () => {
  const held = new HeldAppends(10)
  const options = { origin: 'client', leaderEpoch: 0 } as const
  void held.hold(Buffer.alloc(50), options)
  expect([held.count, held.sizeBytes, held.isFull]).toEqual([1, 50, true])
  expect(() => held.hold(Buffer.alloc(1), options)).toThrow('is refused, not held')
})
