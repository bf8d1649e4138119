// Two brokers under one load, in turns: short rounds of one after the other, so that other load on
// the machine affects both alike. Medians over the rounds; latencies over all of them.

import type { Address } from '../../../protocol/runtime/network/network.ts'
import { usageOf } from './measuredProcess.ts'
import { portOwner } from './portOwner.ts'
import { type Row, row } from './row.ts'

/** A broker under measurement. */
export interface Contestant {
  readonly address: Address
  /** Undefined if its process is not on this machine. */
  readonly pid: number | undefined
}

/** The result of one round. */
export interface Round {
  /** Bytes of the records' values, before compression. */
  readonly payloadBytes: number
  /** Time from each request to its answer. */
  readonly answerMs: readonly number[]
}

/** Puts load on the broker until `endMs` of performance.now(). */
export type Load = (endMs: number) => Promise<Round>

interface Figures {
  readonly megabytesPerSecond: number
  readonly p99Ms: number
  readonly cpuSecondsPerGigabyte: number | undefined
}

const rounds = 5

export async function contestant(address: Address): Promise<Contestant> {
  const isLocal = address.host === '127.0.0.1' || address.host === 'localhost'
  return { address, pid: isLocal ? await portOwner(address.port) : undefined }
}

/** Rows with both brokers: throughput, the 99th percentile of latency, processor time. */
export async function measureInTurns(
  name: string,
  { seconds, warmUpSeconds }: { readonly seconds: number; readonly warmUpSeconds: number },
  ours: { readonly load: Load; readonly pid: number | undefined },
  theirs: { readonly load: Load; readonly pid: number | undefined },
): Promise<Row[]> {
  const sides = [theirs, ours]
  const measured = sides.map(() => [] as (Figures & { answerMs: readonly number[] })[])
  for (const { load } of sides) await load(performance.now() + warmUpSeconds * 1000)
  for (let round = 0; round < rounds; round++) {
    for (const [at, { load, pid }] of sides.entries()) {
      measured[at]!.push(await measure(load, pid, seconds / rounds))
    }
  }
  const [baseline, own] = measured.map(summary) as [Figures, Figures]
  const rows = [
    row(name, own.megabytesPerSecond, 'MB/s', baseline.megabytesPerSecond),
    row(`${name}: p99`, own.p99Ms, 'ms', baseline.p99Ms),
  ]
  if (own.cpuSecondsPerGigabyte !== undefined) {
    const { cpuSecondsPerGigabyte: theirCpu } = baseline
    rows.push(row(`${name}: processor`, own.cpuSecondsPerGigabyte, 's/GB', theirCpu))
  }
  return rows
}

/** Peak resident memory of both, if the system reports it. */
export async function memoryRow(ours: Contestant, theirs: Contestant): Promise<Row[]> {
  const [own, other] = await Promise.all([usageOf(ours.pid), usageOf(theirs.pid)])
  if (own?.peakBytes === undefined) return []
  const baseline = other?.peakBytes === undefined ? undefined : other.peakBytes / 1e6
  return [row('resident memory, peak', own.peakBytes / 1e6, 'MB', baseline)]
}

async function measure(load: Load, pid: number | undefined, seconds: number) {
  const cpuBefore = (await usageOf(pid))?.cpuSeconds
  const startMs = performance.now()
  const { payloadBytes, answerMs } = await load(startMs + seconds * 1000)
  const elapsed = (performance.now() - startMs) / 1000
  const cpuAfter = (await usageOf(pid))?.cpuSeconds
  const gigabytes = payloadBytes / 1e9
  return {
    megabytesPerSecond: payloadBytes / 1e6 / elapsed,
    p99Ms: percentile(answerMs, 0.99),
    cpuSecondsPerGigabyte:
      cpuBefore === undefined || cpuAfter === undefined
        ? undefined
        : (cpuAfter - cpuBefore) / gigabytes,
    answerMs,
  }
}

function summary(measured: readonly (Figures & { answerMs: readonly number[] })[]): Figures {
  const cpu = measured.flatMap(({ cpuSecondsPerGigabyte: value }) =>
    value === undefined ? [] : [value],
  )
  return {
    megabytesPerSecond: percentile(
      measured.map((figures) => figures.megabytesPerSecond),
      0.5,
    ),
    p99Ms: percentile(
      measured.flatMap(({ answerMs }) => answerMs),
      0.99,
    ),
    cpuSecondsPerGigabyte: cpu.length === 0 ? undefined : percentile(cpu, 0.5),
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
