// The table of what can go wrong with a broker in a test, besides what the broker itself reports.

import { CodedError } from '../../protocol/runtime/codedError.ts'

/** What a TestBrokerError is about. */
export type TestBrokerErrorCode =
  /** An option or an argument that cannot be used. */
  | 'INVALID_ARGUMENT'
  /** The broker is stopped or closed. */
  | 'NOT_RUNNING'
  /** What was waited for did not happen in time. */
  | 'TIMED_OUT'
  /** Faults that were asked for never happened. */
  | 'FAULT_NOT_TRIGGERED'

/** A mistake in a test, or something that the test waited for in vain. The message says what to do. */
export class TestBrokerError extends CodedError<TestBrokerErrorCode> {
  override readonly name = 'TestBrokerError'
}

export function invalidArgument(message: string): TestBrokerError {
  return new TestBrokerError('INVALID_ARGUMENT', message)
}

export function closedError(): TestBrokerError {
  return new TestBrokerError('NOT_RUNNING', 'the broker is closed: start another one')
}
