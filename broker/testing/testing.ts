// A broker for tests of programs that use Kafka, as 'millrace/testing': in this process, in memory or in a
// folder, on a free port, with faults to inject. Any client of Kafka's protocol can talk to it.

export { startBroker, type TestBroker } from './testBroker.ts'
export { TestBrokerError, type TestBrokerErrorCode } from './testBrokerError.ts'
export type { TestBrokerOptions, TestTopic } from './testBrokerOptions.ts'
