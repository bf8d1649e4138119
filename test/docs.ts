// `npm run docs`: writes the generated pages.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generatedDocs } from './generatedDocs.ts'

for (const [path, content] of generatedDocs()) {
  await writeFile(join(import.meta.dirname, '..', path), content)
  process.stdout.write(`${path}\n`)
}
