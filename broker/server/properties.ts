// Java's properties format, as server.properties is written in: comments, three kinds of separator,
// lines continued with a backslash. Knows nothing about what the keys mean.

import { BrokerError } from '../errors.ts'

export interface Property {
  readonly key: string
  readonly value: string
  /** The line it starts on, from 1. */
  readonly line: number
}

/** The properties in their order. A later one of the same key is for the caller to let win. */
export function parseProperties(text: string, file: string): Property[] {
  const properties: Property[] = []
  for (const { content, line } of logicalLines(text)) {
    const match = /^((?:\\.|[^\\=:\s])+)\s*[=:\s]\s*(.*)$/.exec(content)
    if (!match) {
      throw new BrokerError(
        'CONFIGURATION_INVALID',
        `${file}:${line}: "${content}" is no key=value line`,
      )
    }
    const [, key, value] = match
    properties.push({ key: unescaped(key!), value: unescaped(value!.trimEnd()), line })
  }
  return properties
}

/** Lines joined over trailing backslashes; without comments and blank ones. */
function* logicalLines(text: string): Iterable<{ content: string; line: number }> {
  const lines = text.split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1
    let content = lines[at]!.trimStart()
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue
    while (endsInContinuation(content) && at + 1 < lines.length) {
      content = content.slice(0, -1) + lines[++at]!.trimStart()
    }
    yield { content, line }
  }
}

/** An odd number of backslashes: an even one is escaped backslashes. */
function endsInContinuation(content: string): boolean {
  const trailing = /\\*$/.exec(content)![0].length
  return trailing % 2 === 1
}

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, escaped: string) =>
    escaped.length === 5
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (escapes[escaped] ?? escaped),
  )
}
