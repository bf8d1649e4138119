// A file group of the taildir source: a directory, taken literally, and a regular expression for
// the names of files in it, in Java's syntax.

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
  return { name, directory, pattern: patternOf(component, key, expression), headers }
}

/** Groups that the list does not name, and listed ones that are not defined: Flume ignores both. */
export function fileGroupProblems(source: ComponentConfiguration): ConfigurationProblem[] {
  const list = source.properties.get('filegroups')
  if (list === undefined) return []
  const missing = listOf(source, 'filegroups').filter(
    (name) => !source.properties.has(`filegroups.${name}`),
  )
  return [
    ...unlistedNames(source, 'filegroups'),
    ...missing.map((name) =>
      problemOf(list, `group ${name} is ignored: ${source.path}.filegroups.${name} is missing`),
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
      `${error.message} in '${expression}' is not a regular expression that is supported: write it in another way`,
    )
  }
}
