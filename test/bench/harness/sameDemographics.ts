// Checks the result of a benchmark: the counts must equal those of the baseline for the same lines.

import { deepStrictEqual } from 'node:assert/strict'
import type { Demographics } from './orderFile.ts'

/** Throws an AssertionError that shows the difference. */
export function requireSameDemographics(counted: Demographics, expected: Demographics): void {
  deepStrictEqual({ ...counted }, { ...expected })
}
