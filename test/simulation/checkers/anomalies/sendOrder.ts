// Anomalies of the order of sends: nonmonotonic-send between calls of one process, and
// int-nonmonotonic-send and int-send-skip inside one transaction.
//
// Contract: an idempotent producer's records lie in a partition in the order in which they were
// sent. One without sequence numbers may see an earlier send overtaken that had not been answered
// when the later one was sent. Other producers' records between those of a transaction are allowed.

import type { AnomalyList } from '../anomaly.ts'
import { type Call, sendsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { Send } from '../operations.ts'
import type { PartitionName } from '../value.ts'

interface LastSend {
  readonly call: Call
  readonly send: Send
  readonly index: number
}

export function checkSendOrder(seen: Observations, found: AnomalyList): void {
  const processes = new Map<string, Map<PartitionName, LastSend>>()
  for (const call of seen.calls.all) {
    if (call.operation.kind === 'crash') processes.delete(call.process)
    const sends = sendsOf(call.operation)
    if (sends.length === 0) continue
    const last = processes.get(call.process) ?? new Map<PartitionName, LastSend>()
    processes.set(call.process, last)
    for (const send of sends) checkSend(seen, found, call, send, last)
  }
}

function checkSend(
  seen: Observations,
  found: AnomalyList,
  call: Call,
  send: Send,
  last: Map<PartitionName, LastSend>,
): void {
  const log = seen.log(send.partition)
  const index = log.firstIndexOf(send.value)
  if (index === undefined) return
  const before = last.get(send.partition)
  last.set(send.partition, { call, send, index })
  if (before === undefined) return
  if (before.call === call) checkInside(found, log, before, call, send, index)
  else if (index <= before.index) {
    const isAllowed = seen.options.delivery === 'at-least-once' && isOvertakable(before.call, call)
    found.add('nonmonotonic-send', isAllowed, [before.call.entry, call.entry], () =>
      backText(log, before, call, send, index),
    )
  }
}

/** A send that was not answered when the next one was sent may be retried behind it. */
function isOvertakable(before: Call, call: Call): boolean {
  if (before.isTransaction || call.isTransaction) return false
  return before.type !== 'ok' || before.completedAt > call.invokedAt
}

function checkInside(
  found: AnomalyList,
  log: ObservedLog,
  before: LastSend,
  call: Call,
  send: Send,
  index: number,
): void {
  if (index <= before.index)
    found.add('int-nonmonotonic-send', false, [call.entry], () =>
      backText(log, before, call, send, index),
    )
  else if (index > before.index + 1)
    found.add(
      'int-send-skip',
      true,
      [call.entry],
      () =>
        `between ${before.send.value} and ${send.value}, which one transaction of ${call.process} ` +
        `sent to ${log.name}, lie ${index - before.index - 1} other values`,
    )
}

function backText(
  log: ObservedLog,
  before: LastSend,
  call: Call,
  send: Send,
  index: number,
): string {
  return (
    `${call.process} sent ${before.send.value}, then ${send.value} to ${log.name}, which lie at ` +
    `the offsets ${log.offsets[before.index]} and ${log.offsets[index]}`
  )
}
