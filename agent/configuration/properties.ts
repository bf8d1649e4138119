// A Java properties file read exactly as java.util.Properties.load does, which is how Flume loads
// flume.conf: comments, continued lines, escapes, three kinds of separators, the last of two equal
// keys wins. Each property keeps its line, so that every later problem can name it.

import { AgentError } from '../errors.ts'

export interface Property {
  readonly key: string
  readonly value: string
  readonly file: string
  /** The line where the property starts, from 1. */
  readonly line: number
  /** References such as `${sys:port}` in the value that could not be resolved. */
  readonly unresolved?: readonly string[]
}

/** `text` is the file's bytes as ISO-8859-1. Later files override earlier ones in `into`. */
export function parseProperties(
  text: string,
  file: string,
  into: Map<string, Property> = new Map(),
): Map<string, Property> {
  for (const { text: line, number } of logicalLines(text)) {
    const split = splitAt(line)
    const key = unescaped(line.slice(0, split.keyEnd), file, number)
    const value = unescaped(line.slice(split.valueStart), file, number)
    into.delete(key)
    into.set(key, { key, value, file, line: number })
  }
  return into
}

/** Lines without comments and blank ones; continued lines joined, escapes left as they are. */
function* logicalLines(text: string): Iterable<{ text: string; number: number }> {
  const lines = text.split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; at++) {
    const number = at + 1
    let line = withoutIndent(lines[at]!)
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (isContinued(line)) {
      line = line.slice(0, -1)
      // A `#` at the start of a continuation is no comment: Java only looks at the first line.
      if (at + 1 < lines.length) line += withoutIndent(lines[++at]!)
      else break
    }
    if (line !== '') yield { text: line, number }
  }
}

function withoutIndent(line: string): string {
  return line.replace(/^[ \t\f]+/, '')
}

/** An odd number of backslashes at the end continues a line; an even number is escaped ones. */
function isContinued(line: string): boolean {
  return /\\*$/.exec(line)![0].length % 2 === 1
}

/** Where the key ends (the first `=`, `:` or blank that is not escaped) and the value starts. */
function splitAt(line: string): { keyEnd: number; valueStart: number } {
  let keyEnd = 0
  while (keyEnd < line.length && !'=: \t\f'.includes(line[keyEnd]!)) {
    keyEnd += line[keyEnd] === '\\' ? 2 : 1
  }
  keyEnd = Math.min(keyEnd, line.length)
  const separator = /^[ \t\f]*[=:]?[ \t\f]*/.exec(line.slice(keyEnd))![0]
  return { keyEnd, valueStart: keyEnd + separator.length }
}

const controls: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string, file: string, line: number): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(u[0-9a-fA-F]{4}|.|$)/gsu, (_, escaped: string) => {
    if (escaped === 'u') {
      throw new AgentError(
        'CONFIGURATION',
        `${file}:${line}: a \\u must be followed by four hexadecimal digits; write \\\\u for a backslash and a u`,
      )
    }
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return controls[escaped] ?? escaped
  })
}
