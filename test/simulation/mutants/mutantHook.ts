// Plants a mutant in this thread: the module loader hands out the changed text of its files. Has to
// be called before any module of production code is imported.

import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { filesOf, type Mutant, mutatedText } from './mutant.ts'

const root = new URL('../../../', import.meta.url)

export interface PlantedMutant {
  /** The files of the mutant that were imported so far. */
  readonly imported: ReadonlySet<string>
}

export function plantMutant(mutant: Mutant): PlantedMutant {
  const texts = new Map<string, { readonly file: string; readonly text: string }>()
  for (const file of filesOf(mutant)) {
    const text = mutatedText(mutant, file, sourceOf(file))
    texts.set(new URL(file, root).href, { file, text })
  }
  const imported = new Set<string>()
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const changed = texts.get(url)
      if (changed === undefined) return loaded
      imported.add(changed.file)
      return { ...loaded, source: changed.text }
    },
  })
  return { imported }
}

/** The text of a file of the repository as it is today. */
export function sourceOf(file: string): string {
  return readFileSync(fileURLToPath(new URL(file, root)), 'utf8')
}
