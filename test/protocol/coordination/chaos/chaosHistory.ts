// The history of a chaos run: the events of all members, put together by call and by tenure.

import type { CallInput, CallOutcome, ChaosEvent } from './chaosEvents.ts'

export interface CallRecord {
  readonly member: string
  readonly input: CallInput
  readonly calledAt: number
  /** Infinity if the call was not answered. */
  returnedAt: number
  /** Undefined if the call was not answered: its process was killed. */
  outcome: CallOutcome | undefined
}

export interface Tenure {
  readonly id: string
  readonly member: string
  readonly queue: string
  readonly joinedAt: number
  /** Undefined if the tenure never led or held the lock, as far as its member knew. */
  held: { readonly token: number; readonly at: number } | undefined
  /** The tenure was certain before the one and after the other. */
  certain: { readonly before: number; readonly after: number } | undefined
  leaveAt: number | undefined
  leftAt: number | undefined
}

type EventOf<Kind extends ChaosEvent['kind']> = Extract<ChaosEvent, { readonly kind: Kind }>

export class ChaosHistory {
  readonly calls = new Map<string, CallRecord>()
  readonly tenures = new Map<string, Tenure>()
  readonly observations: EventOf<'observed'>[] = []
  readonly statuses: EventOf<'status'>[] = []
  readonly logs: EventOf<'log'>[] = []
  readonly missed: EventOf<'missed'>[] = []

  /** Names of the members that lead, or hold a lock, as far as they have reported. */
  get holders(): readonly string[] {
    const open = [...this.tenures.values()].filter((tenure) => tenure.leaveAt === undefined)
    return open.flatMap(({ member, held }) => (held === undefined ? [] : [member]))
  }

  readonly record = (event: ChaosEvent): void => {
    if (event.kind === 'call') {
      const { member, input, at: calledAt } = event
      const open = { returnedAt: Number.POSITIVE_INFINITY, outcome: undefined }
      this.calls.set(event.call, { member, input, calledAt, ...open })
    } else if (event.kind === 'return') {
      const call = this.calls.get(event.call)!
      call.returnedAt = event.at
      call.outcome = event.outcome
    } else if (event.kind === 'observed') this.observations.push(event)
    else if (event.kind === 'status') this.statuses.push(event)
    else if (event.kind === 'log') this.logs.push(event)
    else if (event.kind === 'missed') this.missed.push(event)
    else this.#recordTenure(event)
  }

  #recordTenure(event: EventOf<'join' | 'held' | 'certain' | 'leave' | 'left'>): void {
    if (event.kind === 'join') {
      const { tenure: id, member, queue, at: joinedAt } = event
      const open = { held: undefined, certain: undefined, leaveAt: undefined, leftAt: undefined }
      this.tenures.set(id, { id, member, queue, joinedAt, ...open })
      return
    }
    const tenure = this.tenures.get(event.tenure)!
    if (event.kind === 'held') tenure.held = { token: event.token, at: event.at }
    else if (event.kind === 'leave') tenure.leaveAt = event.at
    else if (event.kind === 'left') tenure.leftAt = event.at
    else {
      const { before, after } = tenure.certain ?? event
      tenure.certain = {
        before: Math.min(before, event.before),
        after: Math.max(after, event.after),
      }
    }
  }
}
