// The table of the errors of the test broker itself.

import { CodedError } from '../../protocol/runtime/codedError.ts'

/** What a TestBrokerError is about. */
export type TestBrokerErrorCode =
  /** An invalid option or argument. */
  | 'INVALID_ARGUMENT'
  /** The broker is stopped or closed. */
  | 'NOT_RUNNING'
  /** A condition did not become true in time. */
  | 'TIMED_OUT'
  /** Requested faults never triggered. */
  | 'FAULT_NOT_TRIGGERED'

/**
 * A mistake in a test, or something that the test waited for in vain. The message says what to do.
 */
export class TestBrokerError extends CodedError<TestBrokerErrorCode> {
  override readonly name = 'TestBrokerError'
}

export function invalidArgument(message: string): TestBrokerError {
  return new TestBrokerError('INVALID_ARGUMENT', message)
}

export function closedError(): TestBrokerError {
  return new TestBrokerError('NOT_RUNNING', 'the broker is closed: start another one')
}
