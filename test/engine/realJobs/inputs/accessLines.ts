// Lines of a web server's access log in the combined format: generated ones, and those of a real
// site.

import { readFileSync } from 'node:fs'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { type Line, passingTimes, skewed } from './arrival.ts'

export interface Request {
  readonly ip: string
  readonly path: string
  readonly status: number
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const startMs = Date.UTC(2026, 4, 17, 10, 5)

export function generatedRequests(seed: number, count: number, meanGapMs: number): Line<Request>[] {
  const random = seededRandom(seed)
  const paths = Array.from({ length: 60 }, (_, at) => `/articles/${at}`)
  const clients = Array.from({ length: 200 }, (_, at) => `10.1.${at % 7}.${at}`)
  const times = passingTimes(random, startMs, meanGapMs)
  return Array.from({ length: count }, () => {
    // The log has times in whole seconds.
    const timeMs = Math.floor(times.next().value / 1000) * 1000
    const row: Request = {
      ip: skewed(random, clients),
      path: skewed(random, paths),
      status: skewed(random, [200, 200, 304, 404, 500, 503]),
    }
    return { timeMs, row, text: accessLine(timeMs, row) }
  })
}

export function accessLine(timeMs: number, { ip, path, status }: Request): string {
  const iso = new Date(timeMs).toISOString()
  const day = `${iso.slice(8, 10)}/${months[Number(iso.slice(5, 7)) - 1]}/${iso.slice(0, 4)}`
  const request = `"GET ${path} HTTP/1.1" ${status} 512 "-" "Mozilla/5.0 (X11; Linux)"`
  return `${ip} - - [${day}:${iso.slice(11, 19)} +0000] ${request}`
}

/** Returns the lines of a real log, in its order, split at blanks as awk does. */
export function readRequests(path: string): Line<Request>[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  return lines.map((text) => {
    const fields = text.split(' ')
    const [day, month, year, hour, minute, second] = fields[3]!.slice(1).split(/[/:]/)
    const atMs = Date.UTC(+year!, months.indexOf(month!), +day!, +hour!, +minute!, +second!)
    const [, , tail] = text.split('"')
    const row = { ip: fields[0]!, path: fields[6]!, status: Number(tail!.trim().split(' ')[0]) }
    return { timeMs: atMs, row, text }
  })
}
