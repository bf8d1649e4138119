/**
 * A broker for tests of programs that use Kafka: in the process of the test, in memory or in a
 * directory, on a free port, with fault injection. Any Kafka client can connect to it.
 *
 * ```ts
 * import { startBroker } from 'millrace/testing'
 *
 * await using broker = await startBroker({ topics: ['orders'] })
 * await broker.produce('orders', [{ key: 'alice', value: 'apple' }])
 * broker.faults.fail('Produce', 'NOT_LEADER_OR_FOLLOWER')
 * console.log(broker.bootstrap, await broker.records('orders'))
 * ```
 *
 * With vitest, node:test and jest, for kafkajs and \@platformatic/kafka: `docs/testing-clients.md`.
 *
 * Unstable: below 1.0, any release may change it.
 *
 * @module testing
 */

export type { ErrorCodeName } from './faults/errorCodeName.ts'
export type { FallibleApiName } from './faults/errorPlaces.ts'
export type { Fault, FaultOptions, TriggeredFault } from './faults/fault.ts'
export type { ApiName, FailOptions, Faults } from './faults/faults.ts'
export { type CommittedOffset, startBroker, type TestBroker } from './testBroker.ts'
export { TestBrokerError, type TestBrokerErrorCode } from './testBrokerError.ts'
export type { TestBrokerOptions, TestTopic } from './testBrokerOptions.ts'
export type { MemberChoice, TestGroup, TestGroupMember } from './testGroups.ts'
export type { RecordsOptions, RecordToProduce, StoredRecord, TestData } from './testRecords.ts'
export type { WaitOptions } from './waiting.ts'
