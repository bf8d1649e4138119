// A program run to its end in its own process, observed from outside: its output, its duration, and
// on Linux its memory and processor time.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

export interface MeasuredRun {
  readonly output: string
  readonly seconds: number
  /** Peak resident memory; undefined if the system does not report it. */
  readonly peakBytes: number | undefined
  /** User and system time of all threads; undefined if the system does not report it. */
  readonly cpuSeconds: number | undefined
}

export interface Usage {
  /** Current resident memory; undefined if the system does not report it. */
  readonly residentBytes?: number | undefined
  readonly peakBytes: number | undefined
  readonly cpuSeconds: number | undefined
}

/** Interval between observations: the figures may miss this much of the end. */
const lookEveryMs = 25
/** The unit of /proc/PID/stat, the same on every Linux that Node runs on. */
const ticksPerSecond = 100
/** In /proc/PID/stat, counted after the name, which is in parentheses and may contain spaces. */
const userTicksField = 11
const systemTicksField = 12

/** Runs Node with these arguments; fails unless it ends with code 0. */
export async function runMeasured(args: readonly string[]): Promise<MeasuredRun> {
  const startMs = performance.now()
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let usage: Usage = { peakBytes: undefined, cpuSeconds: undefined }
  const look = async () => {
    usage = (await usageOf(child.pid)) ?? usage
  }
  const looks = setInterval(() => void look(), lookEveryMs)
  try {
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
    if (code !== 0) throw new Error(`node ${args.join(' ')} ended with code ${code}`)
    return { output, seconds: (performance.now() - startMs) / 1000, ...usage }
  } finally {
    clearInterval(looks)
    child.kill()
  }
}

/** Undefined if the process has ended, or cannot be observed. */
export async function usageOf(pid: number | undefined): Promise<Usage | undefined> {
  try {
    const [status, stat] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'latin1'),
      readFile(`/proc/${pid}/stat`, 'latin1'),
    ])
    const [, peakKilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? []
    // A process that has ended and was not reaped yet has no memory any more.
    if (peakKilobytes === undefined) return undefined
    const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(status) ?? []
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = Number(fields[userTicksField]) + Number(fields[systemTicksField])
    return {
      residentBytes: Number(kilobytes) * 1024,
      peakBytes: Number(peakKilobytes) * 1024,
      cpuSeconds: ticks / ticksPerSecond,
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}
