// `npm run check`: everything that can be judged without running the program. Prints what fails and
// ends with a non-zero code if anything did.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const steps = [
  ['types', 'node_modules/typescript/bin/tsc', []],
  [
    'lint and format',
    'node_modules/@biomejs/biome/bin/biome',
    ['check', '--error-on-warnings', '.'],
  ],
  [
    'direction and drift',
    'node_modules/vitest/vitest.mjs',
    ['run', '--reporter=dot', 'test/tidy.test.ts', 'test/drift.test.ts'],
  ],
]

let failures = 0
for (const [name, file, words] of steps) {
  const result = spawnSync(process.execPath, [join(import.meta.dirname, '..', file), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  const passed = result.status === 0
  process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} ${name}\n`)
  if (!passed) {
    failures++
    process.stdout.write(`${result.stdout}${result.stderr}\n`)
  }
}
process.exitCode = failures === 0 ? 0 : 1
