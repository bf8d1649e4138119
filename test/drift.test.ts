import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { generatedDocs } from './generatedDocs.ts'

test.each([...generatedDocs()])(
  '%s is up to date with the code (npm run docs)',
  async (path, content) => {
    expect(await readFile(join(import.meta.dirname, '..', path), 'utf8')).toBe(content)
  },
)
