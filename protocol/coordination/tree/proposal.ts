// What one entry of the coordination log carries: proposals of one member, in order. Plain data;
// entryCodec.ts has the bytes.

import type { Operation } from './operation.ts'

export type Request =
  /** Opens a session, which belongs to the member that proposes it. */
  | {
      readonly type: 'openSession'
      readonly session: string
      readonly timeoutMs: number
      /** Who holds it, for people: "broker 1 at host-a". */
      readonly name: string
    }
  /** Ends the session and deletes its ephemeral nodes; no effect on one that has ended. */
  | { readonly type: 'closeSession'; readonly session: string }
  /** Refused with SESSION_EXPIRED if `session` is given and has ended. */
  | {
      readonly type: 'transaction'
      readonly session: string | undefined
      readonly operations: readonly Operation[]
    }

export interface Entry {
  /** The member that proposes: random for each incarnation of a process or thread. */
  readonly member: string
  /** Counts the entries of the member from 1: with `member`, recognizes an own entry. */
  readonly number: number
  /**
   * Time since the entry before, as the member counts it, in ms: advances the clock of the log by
   * at most `maxStepMs`. Zero if the member does not know.
   */
  readonly stepMs: number
  /** Wall-clock time of the member, in ms since the epoch. */
  readonly wallMs: number
  /** None: the entry is a heartbeat of the member, or a sync. */
  readonly requests: readonly Request[]
}

/**
 * Most that one entry advances the clock of the log. While the log cannot be appended to, no entry
 * advances it, so a pause of the log costs a session at most this much of its timeout.
 */
export const maxStepMs = 1200
/** Sessions with shorter timeouts are refused: a few entries could end them. */
export const minSessionTimeoutMs = 3000
export const maxSessionTimeoutMs = 600_000
/** Requests of one entry. */
export const maxRequests = 4096
