// unanswered: a produce that was not answered although the system was healed.
//
// Contract: only histories with a `liveness` mark are checked. A produce from before the mark has
// to be answered some time, be it by a failure or a timeout; one from after it has to succeed or to
// fail, and not to time out, unless it allows less time than a healed system may take. What a
// crashed process had asked for is answered to nobody.

import type { AnomalyList } from '../anomaly.ts'
import { type Call, sendsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'

/** Time in ms within which a healed system answers: a broker looks for disk space every 5 s. */
const answerMs = 10_000

export function checkAnswers(seen: Observations, found: AnomalyList): void {
  const liveAt = seen.marks.get('liveness')
  if (liveAt === undefined) return
  const crashedAt = new Map<string, number>()
  for (const call of seen.calls.completed)
    if (call.operation.kind === 'crash') crashedAt.set(call.process, call.completedAt)
  for (const call of seen.calls.all) {
    if (sendsOf(call.operation).length === 0 || isAnswered(call, liveAt)) continue
    if ((crashedAt.get(call.process) ?? -1) > call.invokedAt) continue
    const isTimeout = call.completedAt !== Number.POSITIVE_INFINITY
    found.add(
      'unanswered',
      false,
      [call.entry],
      () =>
        `${call.process} ${isTimeout ? 'got a timeout in place of an answer' : 'got no answer'} ` +
        `to what it sent ${call.invokedAt > liveAt ? 'after' : 'before'} the system was healed`,
    )
  }
}

function isAnswered(call: Call, liveAt: number): boolean {
  if (call.type !== 'info') return true
  if (call.completedAt === Number.POSITIVE_INFINITY) return false
  const isImpatient = sendsOf(call.operation).some(
    ({ timeoutMs = answerMs }) => timeoutMs < answerMs,
  )
  return call.invokedAt < liveAt || isImpatient
}
