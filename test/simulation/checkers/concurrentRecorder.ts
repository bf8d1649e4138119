// Records concurrent operations for the linearizability checker, and says in words why a history is
// not linearizable.
//
// Contract: the order of calls and returns is the order in which they are recorded. An operation
// that certainly had no effect is left out.

import type { ConcurrentOperation, Linearization } from './linearizable.ts'

export class ConcurrentRecorder<Input, Output> {
  readonly #operations: (ConcurrentOperation<Input, Output> | undefined)[] = []
  #now = 0

  /** Until `ok` or `fail` is called, the operation counts as one that did not return. */
  begin(client: string, input: Input): ConcurrentCall<Output> {
    const at = this.#operations.length
    const calledAt = this.#now++
    const unknown = { client, input, output: undefined, calledAt }
    this.#operations.push({ ...unknown, returnedAt: Number.POSITIVE_INFINITY })
    return {
      ok: (output) => {
        this.#operations[at] = { ...unknown, output, returnedAt: this.#now++ }
      },
      fail: () => {
        this.#operations[at] = undefined
      },
    }
  }

  get operations(): readonly ConcurrentOperation<Input, Output>[] {
    return this.#operations.filter((operation) => operation !== undefined)
  }
}

export interface ConcurrentCall<Output> {
  ok(output: Output): void
  /** The operation certainly had no effect, and what it was answered says nothing. */
  fail(): void
}

/** How many operations of a prefix are shown. */
const mostShown = 12

export function linearizationText<Input, Output>({
  outcome,
  steps,
  failure,
}: Linearization<Input, Output>): string {
  if (failure === undefined) return `${outcome} (${steps} steps)`
  const shown = failure.prefix
    .slice(-mostShown)
    .map((operation) => `  ${operationText(operation)}\n`)
  const left = failure.prefix.length - shown.length
  const where = failure.partition === '' ? '' : ` in ${failure.partition}`
  const before = left > 0 ? `  (${left} operations before)\n` : ''
  const misplaced =
    failure.misplaced === undefined
      ? ''
      : `then nothing allows:\n  ${operationText(failure.misplaced)}\n`
  return `${outcome}${where} (${steps} steps)\n${before}${shown.join('')}${misplaced}`
}

function operationText<Input, Output>(operation: ConcurrentOperation<Input, Output>): string {
  const { client, input, output, calledAt, returnedAt } = operation
  const answer = output === undefined ? 'no answer' : JSON.stringify(output)
  return `${client}: ${JSON.stringify(input)} -> ${answer} [${calledAt}, ${returnedAt}]`
}
