// Builds Prometheus' text format in pieces of several kilobytes: one growing text of many megabytes
// would be copied repeatedly.

import type { Distribution } from './distribution.ts'
import type { MetricSpec } from './metricSpec.ts'

/** Labels in the text format: `{topic="orders",partition="3"}`; an empty text without labels. */
export function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value))}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** Escapes a label value; lone surrogates, which are not valid UTF-8, are replaced. */
function escaped(value: string): string {
  return value
    .toWellFormed()
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

const pieceLength = 16 * 1024

export class Exposition {
  readonly #pieces: Buffer[] = []
  #text = ''
  #name = ''
  #samples = 0

  /** Number of samples written: the cost of an exposition. */
  get samples(): number {
    return this.#samples
  }

  /** Appends text in the format, which ends with a line feed unless it is empty. */
  text(text: string): void {
    this.#text += text
    if (this.#text.length > pieceLength) this.#endPiece()
  }

  /** Starts a family; its samples follow. */
  family({ name, help, type }: MetricSpec): void {
    this.#name = name
    this.text(`# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n`)
  }

  readonly sample = (labels: string, value: number): void => {
    this.#samples++
    const number = Number.isFinite(value) ? value : numberText(value)
    this.#text += `${this.#name}${labels} ${number}\n`
    if (this.#text.length > pieceLength) this.#endPiece()
  }

  /** Appends lines of the current family that were formatted earlier. */
  readonly block = (lines: string, samples: number): void => {
    this.#samples += samples
    this.text(lines)
  }

  readonly distribution = (labels: string, distribution: Distribution): void => {
    const name = this.#name
    const before = labels === '' ? '{' : `${labels.slice(0, -1)},`
    const counts = distribution.cumulated()
    for (const [index, bound] of distribution.bounds.entries()) {
      this.text(`${name}_bucket${before}le="${bound}"} ${counts[index]!}\n`)
    }
    const count = counts.at(-1)!
    this.text(
      `${name}_bucket${before}le="+Inf"} ${count}\n${name}_sum${labels} ${numberText(distribution.sum)}\n${name}_count${labels} ${count}\n`,
    )
    this.#samples += counts.length + 2
  }

  end(): Buffer {
    this.#endPiece()
    return Buffer.concat(this.#pieces)
  }

  #endPiece(): void {
    this.#pieces.push(Buffer.from(this.#text))
    this.#text = ''
  }
}
