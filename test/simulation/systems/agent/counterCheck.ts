// Whether the counters of an agent balance once it is idle.

import type { Marks } from '../../world/marks.ts'
import type { AgentRun } from './agentProgram.ts'
import type { Violate } from './deliveryCheck.ts'

export function checkCounters(
  { agent, recovered }: AgentRun,
  violate: Violate,
  marks: Marks,
): void {
  const { channels, sinks, sources } = agent!.figures()
  for (const [index, { name, counter }] of channels.entries()) {
    const { EventPutSuccessCount: put, EventTakeSuccessCount: taken, ChannelSize: size } = counter
    if (recovered[index]! + put !== taken + size) {
      const sum = `${recovered[index]} recovered + ${put} put, ${taken} taken + ${size} held`
      violate('counters', `channel ${name}: ${sum}`)
    }
    const drained = sinks.filter((sink) => sink.name.startsWith(name))
    const sent = drained.reduce((sum, sink) => sum + sink.counter.EventDrainSuccessCount, 0)
    if (sent !== taken) violate('counters', `channel ${name}: ${taken} taken, ${sent} sent`)
  }
  for (const { name, counter } of sources) {
    if (counter.EventAcceptedCount <= counter.EventReceivedCount) continue
    violate('counters', `source ${name} accepted more than it received`)
  }
  if (sinks.some(({ counter }) => 'RollbackCount' in counter && counter.RollbackCount)) {
    marks.reached('a take was rolled back')
  }
}
