// Escape sequences in values, expanded for each event as by Flume's BucketPath: `%{name}` is a
// header; `%Y`, `%m` and similar are parts of the event's time (the header `timestamp`, in ms,
// shown in the time zone of the process); `%[localhost]`, `%[ip]` and `%[fqdn]` name the agent's
// host.

import type { Headers } from './event.ts'
import type { HostIdentity } from './hostIdentity.ts'

export interface EscapeDependencies {
  readonly host: HostIdentity
  /** Time of an event without a valid `timestamp` header. */
  readonly nowMs: number
}

const sequence = /%(\w|%)|%\{([\w.-]+)\}|%\[(\w+)\]/g

/** Whether a text contains escape sequences. */
export function hasEscapes(text: string): boolean {
  return text.search(sequence) >= 0
}

/** Returns the escape sequences that have no meaning, for checks of a configuration. */
export function unknownEscapes(text: string): string[] {
  return [...text.matchAll(sequence)]
    .filter(([, letter, , place]) => {
      if (letter !== undefined) return letter !== '%' && !(letter in timeParts)
      return place !== undefined && !(place.toLowerCase() in hostParts)
    })
    .map(([whole]) => whole)
}

/** Expands a text for one event; a missing header and an unknown letter become empty. */
export function expandEscapes(
  text: string,
  headers: Headers,
  { host, nowMs }: EscapeDependencies,
): string {
  return text.replace(sequence, (_, letter?: string, header?: string, place?: string) => {
    if (header !== undefined) return headers[header] ?? ''
    if (place !== undefined) return hostParts[place.toLowerCase()]?.(host) ?? ''
    if (letter === '%') return '%'
    return timeParts[letter!]?.(new Date(timeOf(headers, nowMs))) ?? ''
  })
}

/** Time of an event, in ms since the epoch. */
function timeOf({ timestamp }: Headers, nowMs: number): number {
  if (timestamp === undefined || !/^-?\d{1,15}$/.test(timestamp)) return nowMs
  return Number(timestamp)
}

const hostParts: Readonly<Record<string, (host: HostIdentity) => string>> = {
  localhost: ({ name }) => name,
  ip: ({ address }) => address,
  fqdn: ({ fullName }) => fullName,
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September'],
  ...['October', 'November', 'December'],
]

const timeParts: Readonly<Record<string, (time: Date) => string>> = {
  a: (time) => days[time.getDay()]!.slice(0, 3),
  A: (time) => days[time.getDay()]!,
  b: (time) => months[time.getMonth()]!.slice(0, 3),
  B: (time) => months[time.getMonth()]!,
  c: (time) => {
    const day = `${timeParts.a!(time)} ${timeParts.b!(time)} ${time.getDate()}`
    const clock = `${timeParts.H!(time)}:${timeParts.M!(time)}:${timeParts.S!(time)}`
    return `${day} ${clock} ${timeParts.Y!(time)}`
  },
  d: (time) => padded(time.getDate()),
  e: (time) => String(time.getDate()),
  D: (time) => `${timeParts.m!(time)}/${timeParts.d!(time)}/${timeParts.y!(time)}`,
  H: (time) => padded(time.getHours()),
  I: (time) => padded(hourOfTwelve(time)),
  j: (time) => padded(dayOfYear(time), 3),
  k: (time) => String(time.getHours()),
  l: (time) => String(hourOfTwelve(time)),
  m: (time) => padded(time.getMonth() + 1),
  M: (time) => padded(time.getMinutes()),
  n: (time) => String(time.getMonth() + 1),
  p: (time) => (time.getHours() < 12 ? 'AM' : 'PM'),
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  S: (time) => padded(time.getSeconds()),
  t: (time) => String(time.getTime()),
  y: (time) => padded(time.getFullYear() % 100),
  Y: (time) => padded(time.getFullYear(), 4),
  z: zoneOf,
}

function padded(value: number, digits = 2): string {
  return String(value).padStart(digits, '0')
}

function hourOfTwelve(time: Date): number {
  return time.getHours() % 12 || 12
}

function dayOfYear(time: Date): number {
  const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate())
  return Math.round((day - Date.UTC(time.getFullYear(), 0, 0)) / 86_400_000)
}

/** `+0100`. */
function zoneOf(time: Date): string {
  const minutes = -time.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${padded(Math.floor(size / 60))}${padded(size % 60)}`
}
