// The planted faults apply to the source of today, and the simulator finds those that need few
// seeds. All of them: npm run simulate -- --mutants.

import { expect, test } from 'vitest'
import { mutants } from './allMutants.ts'
import { filesOf, mutatedText } from './mutant.ts'
import { sourceOf } from './mutantHook.ts'

test.for(mutants)('$name: applies to the source of today', (mutant) => {
  for (const file of filesOf(mutant)) {
    expect(file).toMatch(/^(?:agent|broker|engine|protocol)\//)
    expect(mutatedText(mutant, file, sourceOf(file))).not.toBe(sourceOf(file))
  }
})

test('the names of the planted faults are unique', () => {
  const names = mutants.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
})
