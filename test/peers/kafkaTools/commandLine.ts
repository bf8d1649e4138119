// Parses a line as a user types it into a tool and its arguments, with the placeholders of
// section.ts replaced.

import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type KafkaTool, mainClasses } from './mainClasses.ts'

export interface Places {
  /** HOST:PORT */
  readonly address: string
  readonly dataFolder: string
  readonly filesFolder: string
}

export interface CommandLine {
  readonly tool: KafkaTool
  readonly words: readonly string[]
}

/** The tools that read files. */
const withoutBootstrap: ReadonlySet<KafkaTool> = new Set(['kafka-dump-log'])

/** Parses a line. A `*` in a file name stands for the first matching file, by name. */
export async function commandLine(line: string, places: Places): Promise<CommandLine> {
  const [tool = '', ...typed] = split(line)
  if (!isKafkaTool(tool)) throw new Error(`unknown tool ${tool}`)
  const filled = typed.map((word) => fill(word, places))
  const words = await Promise.all(filled.map(expand))
  if (withoutBootstrap.has(tool) || line.includes('BROKER')) return { tool, words }
  const bootstrap = ['--bootstrap-server', places.address]
  // Other tools with sub-commands take general options before them.
  const isLast = tool === 'kafka-cluster'
  return { tool, words: isLast ? [...words, ...bootstrap] : [...bootstrap, ...words] }
}

export function fill(text: string, { address, dataFolder, filesFolder }: Places): string {
  return text
    .replaceAll('BROKER', address)
    .replaceAll('DATA', dataFolder)
    .replaceAll('FILES', filesFolder)
}

/** Splits into words, at spaces outside of quotes. */
function split(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain ?? '',
  )
}

async function expand(word: string): Promise<string> {
  const name = basename(word)
  if (!word.startsWith('/') || !name.includes('*')) return word
  const [before = '', after = ''] = name.split('*')
  const files = await readdir(dirname(word))
  const found = files.filter((file) => file.startsWith(before) && file.endsWith(after)).sort()[0]
  if (found === undefined) throw new Error(`no file matches ${word}`)
  return join(dirname(word), found)
}

function isKafkaTool(name: string): name is KafkaTool {
  return Object.hasOwn(mainClasses, name)
}
