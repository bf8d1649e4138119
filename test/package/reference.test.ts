// The reference pages match the comments of the entries, every export has a comment, and every type
// that an entry names can be imported from that entry.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { hasTypedoc } from '../tools.ts'

const root = join(import.meta.dirname, '../..')

test.skipIf(!hasTypedoc())(
  'docs/reference is up to date with the code (npm run docs)',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-reference-'))
    try {
      const words = [join(root, '.ci/reference.mjs'), '--out', directory]
      await promisify(execFile)(process.execPath, words)
      const committed = join(root, 'docs/reference')
      const pages = await pagesBelow(directory)
      expect(await pagesBelow(committed)).toEqual(pages)
      for (const page of pages) {
        const [is, says] = await Promise.all(
          [directory, committed].map((folder) => readFile(join(folder, page), 'utf8')),
        )
        expect(says, page).toBe(is)
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
  300_000,
)

async function pagesBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true })
  return names.filter((name) => name.endsWith('.md')).sort()
}
