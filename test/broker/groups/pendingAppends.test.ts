// The pending work of group and transaction coordinators is plain data: it is printed, copied and
// compared here, as a program that saves it would.

import { expect, it } from 'vitest'
import { TransactionCoordinator } from '../../../broker/transactions/transactionCoordinator.ts'
import { ConsumerSimulation, SimulatedMember } from './consumer/consumerSimulation.ts'
import { GroupSimulation, groupId } from './groupSimulation.ts'

it('a group coordinator shows the continuation of each append', () => {
  const group = new GroupSimulation([{ name: 'a' }, { name: 'tool' }])
  const [member, tool] = group.clients
  group.commit(tool!, 5)
  group.administer((requestId) => ({ type: 'deleteGroup', requestId, groupId }))
  const pending = group.coordinator.pending()
  expect(structuredClone(pending)).toMatchObject({
    appends: [
      {
        ...{ appendId: 1, groupId },
        step: { type: 'offsets', next: { type: 'answer', requestId: 1, errorCodes: [0] } },
        offsets: { producerId: -1, transaction: 'open', records: [{ value: { offset: 5 } }] },
      },
      {
        ...{ appendId: 2, groupId },
        step: { type: 'offsets', next: { type: 'operation', operationId: 1 } },
        offsets: { records: [{ value: null }] },
      },
    ],
    operations: [
      { operationId: 1, open: 1, errorCode: 0, next: { type: 'removeGroup', requestId: 2 } },
    ],
    writes: [],
  })
  expect(JSON.parse(JSON.stringify(pending))).toEqual(pending)
  group.completeAllAppends()
  group.join(member!)
  group.sync(member!)
  expect(structuredClone(group.coordinator.pending().appends)).toMatchObject([
    { step: { type: 'group', incarnation: 1, step: { type: 'assigned', generationId: 1 } } },
  ])
  group.completeAllAppends()
  expect(group.coordinator.pending()).toEqual({ appends: [], operations: [], writes: [] })
})

it('a consumer group shows its pending answers', () => {
  const group = new ConsumerSimulation({ t: 1 })
  const member = new SimulatedMember('m', ['t'], null, false)
  group.heartbeat(member)
  const { appends, writes } = structuredClone(group.coordinator.pending())
  expect(appends).toMatchObject([{ step: { step: { type: 'journaled', writeId: 1 } } }])
  expect(writes).toMatchObject([
    {
      ...{ writeId: 1, isSpoiled: false },
      answers: [{ type: 'heartbeatAnswered', requestId: 1, outcome: { memberEpoch: 1 } }],
    },
  ])
  expect(group.outcomes, 'nothing is answered before it is durable').toEqual([])
  group.completeAll()
  expect(group.coordinator.pending().writes).toEqual([])
})

it('a transaction coordinator shows the step in progress of each transactional id', () => {
  const limits = { maxTimeoutMs: 10_000, expirationMs: 1000, maxTransactionalIds: 10 }
  const coordinator = new TransactionCoordinator(limits)
  const request = { timeoutMs: 5000, expected: undefined }
  const init = { type: 'initProducerId', requestId: 1, transactionalId: 'tx', request } as const
  expect(coordinator.handle(0, init)).toEqual([{ type: 'allocate', stepId: 1 }])
  const allocating = { type: 'allocateFirst', requestId: 1, timeoutMs: 5000, stepId: 1 }
  expect(structuredClone(coordinator.pending())).toEqual([
    { transactionalId: 'tx', step: allocating },
  ])
  coordinator.handle(1, { type: 'allocated', stepId: 1, producerId: 7 })
  expect(coordinator.pending()).toMatchObject([
    { transactionalId: 'tx', step: { type: 'initialize', requestId: 1, stepId: 2 } },
  ])
  expect(coordinator.handle(2, { type: 'appended', stepId: 2, errorCode: 0 })).toMatchObject([
    { type: 'answer', requestId: 1, outcome: { producerId: 7, producerEpoch: 0 } },
    { type: 'settled', transactionalId: 'tx' },
  ])
  expect(coordinator.pending()).toEqual([])
  const again = { type: 'appended', stepId: 2, errorCode: 0 } as const
  expect(() => coordinator.handle(3, again)).toThrow('is reported once')
})
