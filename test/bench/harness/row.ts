// A benchmark and its result. A row is one figure with its baseline, which was measured in the same
// run on the same machine: the ratio is meaningful, the figure alone is not.

import type { Address } from '../../../protocol/runtime/network/network.ts'

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The same figure for the simplest program that does the work; null if there is none. */
  readonly baseline: number | null
  /** value / baseline: above 1 is better for rates, below 1 is better for times. */
  readonly ratio: number | null
}

export interface BenchOptions {
  /** Approximate duration of measuring each figure. */
  readonly seconds: number
  /** A Kafka-protocol broker to measure in turns with Millrace. */
  readonly against: Address | undefined
  /** Restricts the loads to those whose names contain it. */
  readonly only?: string | undefined
  /** Size of the large log. */
  readonly gigabytes?: number
  /** For temporary files; removed afterwards. */
  readonly directory: string
}

export interface Benchmark {
  /** One line for the list of benchmarks. */
  readonly description: string
  run(options: BenchOptions): Promise<Row[]>
}

export function row(name: string, value: number, unit: string, baseline?: number): Row {
  const hasBaseline = baseline !== undefined && baseline > 0
  return {
    name,
    value: rounded(value),
    unit,
    baseline: hasBaseline ? rounded(baseline) : null,
    ratio: hasBaseline ? rounded(value / baseline) : null,
  }
}

/** The two rows of a throughput: megabytes (10^6) and records a second. */
export function throughputRows(name: string, ours: Throughput, baseline: Throughput): Row[] {
  return [
    row(name, ours.bytes / ours.seconds / 1e6, 'MB/s', baseline.bytes / baseline.seconds / 1e6),
    row(name, ours.records / ours.seconds, 'records/s', baseline.records / baseline.seconds),
  ]
}

export interface Throughput {
  readonly bytes: number
  readonly records: number
  readonly seconds: number
}

/** Rows as a table with aligned columns. */
export function table(rows: readonly Row[]): string {
  const header = ['', 'value', 'unit', 'baseline', 'ratio']
  const lines = rows.map(({ name, value, unit, baseline, ratio }) => [
    name,
    figure(value),
    unit,
    baseline === null ? '-' : figure(baseline),
    ratio === null ? '-' : ratio.toFixed(2),
  ])
  return aligned([header, ...lines], [true, false, true, false, false])
}

/** Cells in columns: text left-aligned, figures right-aligned, without trailing spaces. */
export function aligned(lines: readonly (readonly string[])[], isText: readonly boolean[]): string {
  const widths = isText.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          isText[column] ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** With separators between thousands; two digits after the point below 100. */
export function figure(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 100 ? 2 : 0 })
}

/** Four significant digits; integers stay integers. */
function rounded(value: number): number {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
}
