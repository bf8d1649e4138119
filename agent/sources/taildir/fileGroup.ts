// A file group of the taildir source: a directory, taken literally, and a regular expression in
// Java's syntax for the names of the files in it.

import { posix } from 'node:path'
import {
  type ComponentConfiguration,
  type ConfigurationProblem,
  problemOf,
} from '../../configuration/flumeConfiguration.ts'
import { listOf, unlistedNames } from '../../configuration/namedComponents.ts'
import { optionError } from '../../configuration/options.ts'
import { type JavaPattern, JavaPatternError, javaPattern } from '../../javaPattern.ts'

export interface FileGroup {
  readonly name: string
  readonly directory: string
  readonly pattern: JavaPattern
  /** Headers of every event from its files. */
  readonly headers: Readonly<Record<string, string>>
}

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
      `required, but not set: a path whose last part is a regular expression; filegroups lists ${name}`,
    )
  }
  const nameAt = text.lastIndexOf('/') + 1
  const expression = text.slice(nameAt)
  if (nameAt === 0 || expression === '') {
    throw optionError(
      component,
      key,
      `'${text}' is not a directory and a regular expression, separated by a slash`,
    )
  }
  const headers: Record<string, string> = {}
  const prefix = `headers.${name}.`
  for (const [headerKey, { value }] of component.properties) {
    if (headerKey.startsWith(prefix)) headers[headerKey.slice(prefix.length)] = value
  }
  const directory = posix.normalize(resolvePath(text.slice(0, nameAt - 1) || '/'))
  return { name, directory, pattern: patternOf(component, key, expression), headers }
}

/**
 * Warns of groups that are defined but not listed, or listed but not defined: Flume ignores both.
 */
export function fileGroupProblems(source: ComponentConfiguration): ConfigurationProblem[] {
  const list = source.properties.get('filegroups')
  if (list === undefined) return []
  const missing = listOf(source, 'filegroups').filter(
    (name) => !source.properties.has(`filegroups.${name}`),
  )
  return [
    ...unlistedNames(source, 'filegroups'),
    ...missing.map((name) =>
      problemOf(list, `group ${name} is ignored: ${source.path}.filegroups.${name} is not set`),
    ),
  ]
}

function patternOf(
  component: ComponentConfiguration,
  key: string,
  expression: string,
): JavaPattern {
  try {
    return javaPattern(expression)
  } catch (error) {
    if (!(error instanceof JavaPatternError)) throw error
    throw optionError(
      component,
      key,
      `the regular expression '${expression}' is not supported, because of ${error.message}: rewrite it`,
    )
  }
}
