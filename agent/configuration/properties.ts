// The properties of flume.conf, parsed as java.util.Properties.load does, which Flume uses. Several
// files may be given; later ones override earlier ones. Each property keeps its file and line,
// which every later message names. A malformed escape is an error, as in Java.

import * as properties from '../../protocol/configuration/properties.ts'
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

/** Adds the properties of a file to `into`; they override equal keys. `text` is ISO-8859-1. */
export function parseProperties(
  text: string,
  file: string,
  into: Map<string, Property> = new Map(),
): Map<string, Property> {
  for (const { key, value, line, hasMalformedEscape } of properties.parseProperties(text)) {
    if (hasMalformedEscape) {
      throw new AgentError(
        'CONFIGURATION',
        `${file}:${line}: malformed escape: \\u needs four hexadecimal digits; write \\\\u for a backslash and a u`,
      )
    }
    into.delete(key)
    into.set(key, { key, value, file, line })
  }
  return into
}
