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
    'house rules and drift',
    'node_modules/vitest/vitest.mjs',
    ['run', '--reporter=dot', 'test/tidy/', 'test/drift.test.ts'],
  ],
  ['unused exports and files', 'node_modules/knip/bin/knip.js', ['--no-progress']],
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
// A report: a long function is worth a look, and may well be right.
const lengths = join(import.meta.dirname, '../test/tidy/functionLengths.ts')
const report = spawnSync(process.execPath, [lengths, '5'], { encoding: 'utf8' })
process.stdout.write(`\n${report.stdout}`)
process.exitCode = failures === 0 ? 0 : 1
