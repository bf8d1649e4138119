// The path of a job module's file. Separate from what imports the module, so that the compiler can
// start before the engine is loaded.

import { fileURLToPath } from 'node:url'

/** `module`: path or URL of a file. */
export function pathOf(module: URL | string): string {
  const isUrl = module instanceof URL || module.startsWith('file:')
  return isUrl ? fileURLToPath(module) : module
}
