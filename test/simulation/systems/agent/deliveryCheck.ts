// Compares what was delivered with what was written: the promises of agent/README.md, of decisions
// 5 and 21 and of agent/sources/taildir/README.md, no more and no less.

import type { AgentParameters } from './agentParameters.ts'
import type { Delivered } from './delivered.ts'
import { isFor } from './lineComponents.ts'
import type { Line, LineLedger } from './lineLedger.ts'

export interface Deliveries {
  readonly parameters: AgentParameters
  readonly ledger: LineLedger
  readonly delivered: Delivered
  /** Lines of the files that match the file group. */
  readonly existing: ReadonlySet<Line>
  /** Whether memory channels may repeat lines: the agent ended without an orderly stop. */
  readonly memoryMayRepeat: boolean
  /** Whether a loss of power tore the files, which may hold anything then. */
  readonly isTorn: boolean
  reached(mark: string): void
  /** Whether the log says that a memory channel lost lines. */
  readonly saidLost: boolean
}

export type Violate = (name: string, message: string) => void

/** Lines that have to arrive at each channel's topic and have not, as text. */
export function missingLines(deliveries: Deliveries): string[] {
  const { parameters, ledger, existing, memoryMayRepeat, saidLost } = deliveries
  // After a SIGKILL, bytes are said to be lost only if their position was noted before.
  const isMemorySafe = !memoryMayRepeat && !saidLost
  return parameters.channels.flatMap((type, channel) => {
    const accepted = ledger.accepted(channel)
    return ledger.lines
      .filter((line) => {
        const isOwed =
          existing.has(line) ||
          ledger.isBegun(line) ||
          (accepted.has(line) && (type === 'file' || isMemorySafe))
        return (
          isOwed && isMine(line, channel, parameters) && countOf(line, channel, deliveries) === 0
        )
      })
      .map((line) => `${parameters.channels[channel]} channel c${channel} ${line.text}`)
  })
}

export function checkDeliveries(deliveries: Deliveries, violate: Violate): void {
  for (const text of missingLines(deliveries).slice(0, 3)) violate('lost line', `lost by ${text}`)
  for (const channel of deliveries.parameters.channels.keys()) {
    checkKnown(deliveries, channel, violate)
    checkRepeats(deliveries, channel, violate)
    checkOrder(deliveries, channel, violate)
  }
}

function checkKnown(
  { delivered, ledger, parameters, isTorn }: Deliveries,
  channel: number,
  violate: Violate,
) {
  for (const text of delivered.counts[channel]!.keys()) {
    const line = ledger.find(text) ?? ledger.findPart(text)
    if (line === undefined && !isTorn && !ledger.isFragment(text)) {
      violate('unknown line', `c${channel} delivered '${text}', which nobody wrote`)
    } else if (line !== undefined && !isMine(line, channel, parameters)) {
      violate(
        'wrong channel',
        `c${channel} delivered ${text}, which is for another channel or none`,
      )
    }
  }
}

function checkRepeats(deliveries: Deliveries, channel: number, violate: Violate): void {
  const { parameters, ledger, memoryMayRepeat } = deliveries
  const repeated = ledger.lines.filter(
    (line) => countOf(line, channel, deliveries) > 1 && ledger.reasonToRepeat(line) === undefined,
  )
  if (parameters.channels[channel] === 'memory' && memoryMayRepeat) {
    if (repeated.length > 0) deliveries.reached('a memory channel repeated lines')
    return
  }
  for (const line of repeated.slice(0, 3)) {
    violate('repeated line', `${parameters.channels[channel]} channel c${channel} ${line.text}`)
  }
}

/** Within a partition, the lines of one content come in their order, but for repeated ones. */
function checkOrder(deliveries: Deliveries, channel: number, violate: Violate): void {
  const { parameters, ledger, delivered, memoryMayRepeat } = deliveries
  if (parameters.sinks > 1) return
  if (parameters.channels[channel] === 'memory' && memoryMayRepeat) return
  for (const values of delivered.partitions[channel]!) {
    const last = new Map<number, Line>()
    const seen = new Set<Line>()
    for (const value of values) {
      const line = ledger.find(value)
      if (line === undefined || seen.has(line) || ledger.reasonToRepeat(line)) continue
      seen.add(line)
      const before = last.get(line.content)
      last.set(line.content, line)
      if (before === undefined || before.id < line.id) continue
      violate('out of order', `c${channel}: ${before.text} before ${line.text}`)
      return
    }
  }
}

function isMine(line: Line, channel: number, { channels, isDivided }: AgentParameters): boolean {
  return isFor(line, channel, channels.length, isDivided)
}

/** A line that arrived in two parts has arrived once. */
function countOf(line: Line, channel: number, { ledger, delivered }: Deliveries): number {
  const counts = delivered.counts[channel]!
  const [first, second] = ledger.partsOf(line)
  const inParts =
    first === undefined ? 0 : Math.min(counts.get(first) ?? 0, counts.get(second!) ?? 0)
  return (counts.get(line.text) ?? 0) + inParts
}
