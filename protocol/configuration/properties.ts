// The parser of Java's properties format, the one for all programs: server.properties, flume.conf
// and meta.properties. Reads a text as java.util.Properties.load does: comments, three kinds of
// separators, lines continued with a backslash, escapes. Knows nothing of what keys mean, and
// decides nothing that readers differ in: each property says where it stands and what is odd about
// it, and the reader refuses it or not (broker: a line without a separator; agent: a malformed \u
// escape).

export interface Property {
  readonly key: string
  readonly value: string
  /** The line on which the property starts, from 1. */
  readonly line: number
  /** The property as written, continuation lines joined, escapes left as they are. */
  readonly text: string
  /** Whether there is a separator behind the key. Without one the value is empty. */
  readonly hasSeparator: boolean
  /** Whether a `\u` is not followed by four hexadecimal digits. Java refuses the file. */
  readonly hasMalformedEscape: boolean
}

/** The properties in their order. Of two with the same key the later one wins, by Java's rule. */
export function* parseProperties(text: string): Generator<Property> {
  for (const { content, line } of logicalLines(text)) {
    const { keyEnd, valueStart } = splitAt(content)
    yield {
      key: unescaped(content.slice(0, keyEnd)),
      value: unescaped(content.slice(valueStart)),
      line,
      text: content,
      hasSeparator: valueStart > keyEnd,
      hasMalformedEscape: malformedEscape.test(content),
    }
  }
}

/** Lines without comments and blank ones; continued lines joined, escapes left as they are. */
function* logicalLines(text: string): Generator<{ content: string; line: number }> {
  const lines = text.split(/\r\n|\r|\n/)
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1
    let content = withoutIndent(lines[at]!)
    if (content === '' || content.startsWith('#') || content.startsWith('!')) continue
    while (isContinued(content)) {
      content = content.slice(0, -1)
      // A `#` at the start of a continuation line begins no comment, as in Java.
      if (at + 1 < lines.length) content += withoutIndent(lines[++at]!)
      else break
    }
    if (content !== '') yield { content, line }
  }
}

function withoutIndent(line: string): string {
  return line.replace(/^[ \t\f]+/, '')
}

/**
 * An odd number of backslashes at the end continues a line; an even number is escaped backslashes.
 */
function isContinued(line: string): boolean {
  return /\\*$/.exec(line)![0].length % 2 === 1
}

/**
 * Where the key ends (the first `=`, `:` or blank that is not escaped) and where the value starts.
 */
function splitAt(content: string): { keyEnd: number; valueStart: number } {
  let keyEnd = 0
  while (keyEnd < content.length && !'=: \t\f'.includes(content[keyEnd]!)) {
    keyEnd += content[keyEnd] === '\\' ? 2 : 1
  }
  keyEnd = Math.min(keyEnd, content.length)
  const separator = /^[ \t\f]*[=:]?[ \t\f]*/.exec(content.slice(keyEnd))![0]
  return { keyEnd, valueStart: keyEnd + separator.length }
}

const malformedEscape = /(?<!\\)(?:\\\\)*\\u(?![0-9a-fA-F]{4})/
const controls: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/** A malformed `\u` is read as `u`. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(u[0-9a-fA-F]{4}|.|$)/gsu, (_, escaped: string) =>
    escaped.length === 5
      ? String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
      : (controls[escaped] ?? escaped),
  )
}
