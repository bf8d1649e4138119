// The planted faults apply to the source of today, and the simulator finds those that need few
// seeds. All of them: npm run simulate -- --mutants.

import { describe, expect, test } from 'vitest'
import { mutants } from './allMutants.ts'
import { filesOf, type Mutant, mutatedText } from './mutant.ts'
import { sourceOf } from './mutantHook.ts'
import { type MutantResult, runMutants } from './mutantRun.ts'

/** Mutants that need no more seeds than this run in the suite. */
const fewSeeds = 100
/** Ends a run that hangs: nothing here depends on how fast the machine is. */
const hangMs = 1_800_000

describe('planted faults', () => {
  test.for(mutants)('$name: applies to the source of today', (mutant) => {
    for (const file of filesOf(mutant)) {
      expect(file).toMatch(/^(?:agent|broker|engine|protocol)\//)
      expect(mutatedText(mutant, file, sourceOf(file))).not.toBe(sourceOf(file))
    }
  })

  test('have names that no other one has', () => {
    const names = mutants.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  test('are found, those that need few seeds', { timeout: hangMs }, async () => {
    const quick = mutants.filter(({ maxSeeds }) => maxSeeds <= fewSeeds)
    expect(quick.length).toBeGreaterThan(0)
    const results = await runMutants(quick, { workers: 1 })
    for (const { mutant, violation, problem } of results) {
      expect(problem, mutant.name).toBeUndefined()
      expect(violation, mutant.name).toBeDefined()
    }
  })
})

describe('a mutant', () => {
  const watermarks = 'broker/log/read/watermarks.ts'
  const harmless: Mutant = {
    name: 'a sentence of a comment is another one',
    system: 'broker',
    file: watermarks,
    replacements: [{ find: '// How far a log may be read', replace: '// How far one may read' }],
    origin: 'none',
    maxSeeds: 2,
  }
  const resultOf = async (changes: Partial<Mutant>, hangMs?: number): Promise<MutantResult> => {
    const options = { workers: 1, ...(hangMs !== undefined && { hangMs }) }
    const [result] = await runMutants([{ ...harmless, ...changes }], options)
    return result!
  }

  test('that breaks nothing is not found', async () => {
    const { seeds, violation, problem } = await resultOf({})
    expect({ seeds, violation, problem }).toEqual({ seeds: 2, violation: undefined })
  })

  test('whose text does not occur is a problem', async () => {
    const { problem } = await resultOf({ replacements: [{ find: 'no such text', replace: '' }] })
    expect(problem).toMatch(/does not apply to broker\/log\/read\/watermarks.ts: 0 places/)
  })

  test('whose text occurs twice is a problem', async () => {
    const { problem } = await resultOf({ replacements: [{ find: 'stableEnd', replace: 'end' }] })
    expect(problem).toMatch(/does not apply to .*watermarks.ts: \d+ places/)
  })

  test('in a file that its system never imports is a problem', async () => {
    const replacements = [{ find: '// `millrace agent`,', replace: '// millrace agent,' }]
    const { problem } = await resultOf({ file: 'agent/command.ts', replacements })
    expect(problem).toMatch(/system broker never imports agent\/command.ts/)
  })

  test('that loops without an end is a problem', async () => {
    const replacements = [
      {
        find: 'noteStable(endOffset: number, position: number): void {',
        replace: 'noteStable(): void {for (;;);',
      },
    ]
    const { problem } = await resultOf({ replacements }, 5000)
    expect(problem).toMatch(/no end after 5000 ms/)
  })
})
