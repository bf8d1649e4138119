// The table of the errors of the test broker itself.

/** Codes of a TestBrokerError. */
export type TestBrokerErrorCode =
  /** An invalid option or argument. */
  | 'INVALID_ARGUMENT'
  /** The broker is stopped or closed. */
  | 'NOT_RUNNING'
  /** A condition did not become true in time. */
  | 'TIMED_OUT'
  /** Requested faults never triggered. */
  | 'FAULT_NOT_TRIGGERED'

/** A mistake in a test, or a wait that timed out. The message says what to do. */
export class TestBrokerError extends Error {
  override readonly name = 'TestBrokerError'
  readonly code: TestBrokerErrorCode
  constructor(code: TestBrokerErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export function invalidArgument(message: string): TestBrokerError {
  return new TestBrokerError('INVALID_ARGUMENT', message)
}

export function closedError(): TestBrokerError {
  return new TestBrokerError('NOT_RUNNING', 'the broker is closed: start another one')
}
