// The counters of a campaign, and their output.

import { errorName } from '../../protocol/kafka/errors.ts'

export class Figures {
  inputs = 0
  answers = 0
  sentAway = 0
  /** Inputs whose client disconnected: at once, or because its answer may wait. */
  left = 0
  probes = 0
  restarts = 0
  peakBytes = 0
  slowestRoundMs = 0
  readonly answersByApi = new Map<string, number>()
  readonly errors = new Map<string, number>()
  readonly reasons = new Map<string, number>()

  answered(api: string, body: unknown): void {
    this.answers++
    count(this.answersByApi, api)
    for (const code of errorCodes(body)) count(this.errors, errorName(code))
  }

  closed(reason: string): void {
    this.sentAway++
    count(this.reasons, generalized(reason))
  }

  text(seconds: number): string {
    const megabytes = Math.round(this.peakBytes / 1024 / 1024)
    return [
      `inputs: ${this.inputs} in ${Math.round(seconds)} s`,
      `answers: ${this.answers}, of ${this.answersByApi.size} APIs`,
      `connections closed by the broker, each with a reason in its log: ${this.sentAway}`,
      `connections that the client left: ${this.left}`,
      `probes answered: ${this.probes}; restarts: ${this.restarts}`,
      `largest resident memory: ${megabytes} MB; slowest round: ${Math.round(this.slowestRoundMs)} ms`,
      'error codes in answers:',
      ...lines(this.errors),
      'reasons for closing:',
      ...lines(this.reasons),
    ].join('\n')
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function lines(counts: Map<string, number>): string[] {
  const sorted = [...counts].sort((a, b) => b[1] - a[1])
  return sorted.map(([key, times]) => `  ${String(times).padStart(9)}  ${key}`)
}

/** Removes the parts of a message that differ between inputs. */
function generalized(reason: string): string {
  return reason.replace(/^.*(request|response) v\d+( \S+)*:/, '$1 …:').replace(/-?\d+/g, 'N')
}

/** Returns all error messages in an answer. */
function* errorCodes(body: unknown): Generator<number> {
  if (Array.isArray(body)) {
    for (const item of body) yield* errorCodes(item)
  } else if (typeof body === 'object' && body !== null && !(body instanceof Uint8Array)) {
    for (const [name, value] of Object.entries(body)) {
      if (name === 'errorCode') yield value as number
      else if (typeof value === 'object') yield* errorCodes(value)
    }
  }
}
