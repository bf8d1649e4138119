import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLevelStore } from '../../../../protocol/runtime/store/levelStore.ts'
import { keyValueStoreConformance } from './keyValueStoreConformance.ts'

keyValueStoreConformance('levelStore', () => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-level-'))
  let directories = 0
  return {
    open: openLevelStore,
    newDirectory: () => join(root, 'deep', String(directories++)),
    close: () => rmSync(root, { recursive: true }),
  }
})
