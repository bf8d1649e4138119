// Lines of an SSH server's log in syslog format: generated ones, and those of a real host. The
// lines have no year and no time zone; a job must be told both.

import { readFileSync } from 'node:fs'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { type Line, passingTimes, skewed } from './arrival.ts'

/** A failed attempt and its address; undefined for other lines of the server. */
export type SshRow = { readonly ip: string; readonly attempts: number } | undefined

export const sshYear = 2025
const startMs = Date.UTC(sshYear, 11, 10, 6, 55, 46)

export function generatedSsh(seed: number, count: number, meanGapMs: number): Line<SshRow>[] {
  const random = seededRandom(seed)
  const attackers = Array.from({ length: 12 }, (_, at) => `192.0.2.${at}`)
  const times = passingTimes(random, startMs, meanGapMs)
  return Array.from({ length: count }, (_, at) => {
    const timeMs = Math.floor(times.next().value / 1000) * 1000
    const ip = skewed(random, attackers)
    const kind = random.below(10)
    const head = `${syslogTime(timeMs)} LabSZ sshd[${24_200 + at}]: `
    const failed = `Failed password for ${kind % 2 === 0 ? 'root' : 'invalid user admin'} from ${ip} port ${40_000 + at} ssh2`
    if (kind === 0) {
      const row = { ip, attempts: 5 }
      return { timeMs, row, text: `${head}message repeated 5 times: [ ${failed}]` }
    }
    if (kind < 7) return { timeMs, row: { ip, attempts: 1 }, text: head + failed }
    return { timeMs, row: undefined, text: `${head}Connection closed by ${ip} [preauth]` }
  })
}

function syslogTime(timeMs: number): string {
  const iso = new Date(timeMs).toISOString()
  return `Dec ${String(Number(iso.slice(8, 10))).padStart(2)} ${iso.slice(11, 19)}`
}

/** All lines have the date 10 December. */
export function readSsh(path: string): Line<SshRow>[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  return lines.map((text) => {
    const [hours, minutes, seconds] = text.slice(7, 15).split(':').map(Number)
    const timeMs = Date.UTC(sshYear, 11, 10, hours, minutes, seconds)
    const at = text.indexOf('Failed password for ')
    if (at < 0) return { timeMs, row: undefined, text }
    const words = text.slice(at).split(' ')
    const ip = words[words.lastIndexOf('from') + 1]!
    const repeated = text.indexOf('message repeated ')
    const attempts = repeated < 0 ? 1 : Number(text.slice(repeated + 17).split(' ')[0])
    return { timeMs, row: { ip, attempts }, text }
  })
}
