// A file group of the taildir source: a directory, taken literally, and a regular expression for
// the names of files in it. Java's expressions and JavaScript's differ; what JavaScript would not
// understand the same way is refused when the configuration is read, never matched differently.

import { posix } from 'node:path'
import type { ComponentConfiguration } from '../../configuration/flumeConfiguration.ts'
import { optionError } from '../../configuration/options.ts'

export interface FileGroup {
  readonly name: string
  readonly directory: string
  readonly pattern: RegExp
  /** Headers of every event from its files. */
  readonly headers: Readonly<Record<string, string>>
}

/** Constructs that Java has and JavaScript lacks or reads as something else. */
const javaOnly =
  /[*+?}]\+|\\[AZzGQEhRX]|\(\?[>a-z-]+\)|\\p\{(?:Alpha|Digit|Alnum|Upper|Lower|Punct|Space)\}|&&/

export function fileGroup(
  component: ComponentConfiguration,
  name: string,
  resolvePath: (path: string) => string,
): FileGroup {
  const key = `filegroups.${name}`
  const text = component.properties.get(key)?.value
  if (text === undefined) {
    throw optionError(
      component,
      key,
      `missing, but filegroups names ${name}: a path whose last part is a regular expression`,
    )
  }
  const nameAt = text.lastIndexOf('/') + 1
  const expression = text.slice(nameAt)
  if (nameAt === 0 || expression === '') {
    throw optionError(
      component,
      key,
      `'${text}' is not a directory, a slash and a regular expression`,
    )
  }
  const headers: Record<string, string> = {}
  const prefix = `headers.${name}.`
  for (const [headerKey, { value }] of component.properties) {
    if (headerKey.startsWith(prefix)) headers[headerKey.slice(prefix.length)] = value
  }
  const directory = posix.normalize(resolvePath(text.slice(0, nameAt - 1) || '/'))
  return { name, directory, pattern: javaPattern(component, key, expression), headers }
}

function javaPattern(component: ComponentConfiguration, key: string, expression: string): RegExp {
  const ignoresCase = expression.startsWith('(?i)')
  const source = ignoresCase ? expression.slice('(?i)'.length) : expression
  const found = javaOnly.exec(source)
  if (found !== null) {
    throw optionError(
      component,
      key,
      `'${found[0]}' in '${expression}' works in Java's regular expressions only: write it without`,
    )
  }
  try {
    return new RegExp(`^(?:${source})$`, ignoresCase ? 'ui' : 'u')
  } catch (error) {
    throw optionError(
      component,
      key,
      `'${expression}' is not a regular expression: ${(error as Error).message}`,
    )
  }
}
