// The lifecycle of Flume's transaction: NEW -> OPEN -> COMPLETED -> CLOSED. A call out of order is
// a bug of the caller and throws ILLEGAL_STATE, as Flume throws IllegalStateException. A
// transaction either puts or takes, never both.

import { AgentError } from '../errors.ts'

export type TransactionState = 'NEW' | 'OPEN' | 'COMPLETED' | 'CLOSED'
export type TransactionUse = 'put' | 'take'

export class TransactionLifecycle {
  #state: TransactionState = 'NEW'
  #use: TransactionUse | undefined
  /** Set while a commit or a rollback is pending: no other call is allowed. */
  #busy = false

  get state(): TransactionState {
    return this.#state
  }

  begin(): void {
    this.#expect('NEW', 'begin')
    this.#state = 'OPEN'
  }

  /** Called before each put, take or prepare. */
  use(use: TransactionUse): void {
    this.#expect('OPEN', use)
    if (this.#use !== undefined && this.#use !== use) {
      throw new AgentError(
        'ILLEGAL_STATE',
        `${use} in a transaction that already did a ${this.#use}: use one transaction for each`,
      )
    }
    this.#use = use
  }

  /** Called before the work of a commit or rollback; `complete` or `reopen` follows. */
  beginCompletion(action: 'commit' | 'rollback'): TransactionUse | undefined {
    this.#expect('OPEN', action)
    this.#busy = true
    return this.#use
  }

  complete(): void {
    this.#busy = false
    this.#state = 'COMPLETED'
  }

  /** A commit failed: the transaction is OPEN again and must be rolled back. */
  reopen(): void {
    this.#busy = false
  }

  close(): void {
    if (this.#state === 'OPEN' || this.#state === 'CLOSED') this.#refuse('close')
    this.#state = 'CLOSED'
  }

  #expect(state: TransactionState, action: string): void {
    if (this.#state !== state || this.#busy) this.#refuse(action)
  }

  #refuse(action: string): never {
    const state = this.#busy ? 'OPEN and completing' : this.#state
    throw new AgentError('ILLEGAL_STATE', `${action} called on a transaction that is ${state}`)
  }
}
