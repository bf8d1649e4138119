// The formats of log lines: JSON for programs, pretty for a terminal. Invariant: untrusted text
// (topic names, client ids, file contents) reaches a terminal as visible characters only.

import { harmless } from './harmlessText.ts'

/** Formats a JSON line, including its newline. */
export type LineFormat = (line: string) => string

/** JSON escapes C0 controls. These are escaped in addition, without changing the value. */
const harmfulInJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

export const jsonFormat: LineFormat = (line) =>
  line.replace(harmfulInJson, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Loaded lazily: it takes about 100 ms. */
export async function prettyFormat(color: boolean): Promise<LineFormat> {
  const { prettyFactory } = await import('pino-pretty')
  const pretty = prettyFactory({
    colorize: color,
    // In the time zone of the program.
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
    errorLikeObjectKeys: ['error', 'err'],
  })
  return (line) => {
    const shown: string = pretty(harmlessFields(parsed(line)))
    return shown.endsWith('\n') ? shown : `${shown}\n`
  }
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    return { msg: line.trimEnd() }
  }
}

function harmlessFields(value: Record<string, unknown>): Record<string, unknown> {
  return harmlessValue(value) as Record<string, unknown>
}

function harmlessValue(value: unknown): unknown {
  if (typeof value === 'string') return harmlessText(value)
  if (Array.isArray(value)) return value.map(harmlessValue)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value)
  return Object.fromEntries(
    fields.map(([name, field]) => [harmlessText(name), harmlessValue(field)]),
  )
}

/** Line breaks are kept, with indentation: no text can imitate a log line. */
function harmlessText(text: string): string {
  return text.replaceAll('\t', '  ').split(/\r?\n/).map(harmless).join('\n    ')
}
