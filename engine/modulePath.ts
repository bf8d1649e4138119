// The file of a job module. Apart from what imports the module, so that the compiler can be started before
// the engine is loaded.

import { fileURLToPath } from 'node:url'

/** `module` is a file's path, or its URL. */
export function pathOf(module: URL | string): string {
  const isUrl = module instanceof URL || module.startsWith('file:')
  return isUrl ? fileURLToPath(module) : module
}
