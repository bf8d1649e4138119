// When sessions have to end, as a model of its own has it: from the entries of the log, and from
// the time in the world at which they took effect.
//
// Checked at every entry: exactly those sessions end whose member was not heard for their timeout
// by the clock of the log; and that clock never counted time in which the log could not be
// appended to, but for one step.

import type { FoldedEntry } from '../../../../protocol/coordination/member/replica.ts'
import type { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'

export interface SessionObserver {
  violate(name: string, message: string): void
  /** In the world. */
  nowMs(): number
}

interface ModelSession {
  readonly member: string
  readonly timeoutMs: number
}

/** Written out: a change of the production constant must not change what is expected. */
const mostStepMs = 1200
/** Two clocks that drift apart by 4 percent, and the step that is counted twice. */
const clockTolerance = 0.05
const countedTwiceMs = 600

export class SessionModel {
  readonly #observer: SessionObserver
  readonly sessions = new Map<string, ModelSession>()
  readonly #heardMs = new Map<string, number>()
  /** In the world. */
  readonly #heardAtMs = new Map<string, number>()
  readonly #pauses: { readonly fromMs: number; untilMs: number }[] = []
  #clockMs = 0

  constructor(observer: SessionObserver) {
    this.#observer = observer
  }

  begin(state: CoordinationState): void {
    this.sessions.clear()
    this.#heardMs.clear()
    this.#clockMs = state.clockMs
    for (const { id, member, timeoutMs, lastHeardMs } of state.sessions.values()) {
      this.sessions.set(id, { member, timeoutMs })
      this.#heardMs.set(member, lastHeardMs)
      this.#heardAtMs.set(member, this.#observer.nowMs())
    }
  }

  /** Nothing can be appended from now on. */
  logStopped(): void {
    if (this.isStopped) return
    this.#pauses.push({ fromMs: this.#observer.nowMs(), untilMs: Number.POSITIVE_INFINITY })
  }

  logContinued(): void {
    if (this.isStopped) this.#pauses.at(-1)!.untilMs = this.#observer.nowMs()
  }

  get isStopped(): boolean {
    return this.#pauses.at(-1)?.untilMs === Number.POSITIVE_INFINITY
  }

  /** Returns those of the ended sessions that expired. */
  applied({ entry, outcomes }: FoldedEntry, ended: readonly string[]): ReadonlySet<string> {
    this.#clockMs += Math.min(entry.stepMs, mostStepMs)
    this.#heardMs.set(entry.member, this.#clockMs)
    const due = [...this.sessions].filter(([, each]) => this.#unheardMs(each) > each.timeoutMs)
    const expired = new Set<string>()
    for (const [id, session] of due) {
      expired.add(id)
      this.#checkTime(id, session)
      if (!ended.includes(id)) this.#outlived(id)
      this.sessions.delete(id)
    }
    this.#heardAtMs.set(entry.member, this.#observer.nowMs())
    for (const [at, request] of entry.requests.entries()) {
      const isDone = !('error' in outcomes[at]!)
      if (request.type === 'openSession' && isDone) {
        const { session, timeoutMs } = request
        this.sessions.set(session, { member: entry.member, timeoutMs })
      } else if (request.type === 'closeSession') this.sessions.delete(request.session)
    }
    for (const id of ended) if (this.sessions.has(id)) this.#early(id)
    return expired
  }

  /** Whether the log could not be appended to for longer than the session's timeout meanwhile. */
  wasSaved(): boolean {
    const least = Math.min(...[...this.sessions.values()].map(({ timeoutMs }) => timeoutMs))
    const last = this.#pauses.at(-1)
    return last !== undefined && last.untilMs - last.fromMs > least
  }

  #unheardMs({ member }: ModelSession): number {
    return this.#clockMs - (this.#heardMs.get(member) ?? 0)
  }

  /** The clock of the log must not have counted what the log was not there for. */
  #checkTime(id: string, { member, timeoutMs }: ModelSession): void {
    const nowMs = this.#observer.nowMs()
    const fromMs = this.#heardAtMs.get(member) ?? 0
    let countedMs = nowMs - fromMs
    for (const pause of this.#pauses) {
      const ms = Math.min(pause.untilMs, nowMs) - Math.max(pause.fromMs, fromMs)
      if (ms > mostStepMs) countedMs -= ms - mostStepMs
    }
    if (countedMs * (1 + clockTolerance) + countedTwiceMs >= timeoutMs) return
    this.#observer.violate(
      'session expired without time',
      `${id} of ${timeoutMs} ms: its member was heard ${Math.round(nowMs - fromMs)} ms before, of ` +
        `which the log could be appended to for ${Math.round(countedMs)}`,
    )
  }

  #outlived(id: string): void {
    this.#observer.violate('session outlived its timeout', id)
  }

  #early(id: string): void {
    this.#observer.violate('session ended early', `${id}: nobody closed it, and it is not due`)
    this.sessions.delete(id)
  }
}
