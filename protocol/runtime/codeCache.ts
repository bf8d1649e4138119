// Where Node keeps the code that it has compiled, so that the next start need not compile it again. Never
// in an installed package, which may be read-only and belong to somebody else.

import { accessSync, constants } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CodeCacheSurroundings {
  /** `import.meta.url` of the program's entry. */
  readonly url: string
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The user's home directory. May throw, as it does for a user that the system does not know. */
  readonly home: () => string
}

/**
 * The directory of the cache: for a checkout below its node_modules, for an installed package below the user's
 * cache directory. Undefined when there is none, and when NODE_COMPILE_CACHE has told Node already.
 */
export function codeCacheDirectory(surroundings: CodeCacheSurroundings): string | undefined {
  const { url, environment } = surroundings
  if (environment.NODE_COMPILE_CACHE) return undefined
  if (url.endsWith('.ts')) {
    return fileURLToPath(new URL('./node_modules/.cache/compile', url))
  }
  const user = userCacheDirectory(surroundings)
  return user === undefined ? undefined : join(user, 'millrace', 'compile')
}

/** The convention of each system; on Linux that of the XDG Base Directory Specification. */
function userCacheDirectory({
  platform,
  environment,
  home,
}: CodeCacheSurroundings): string | undefined {
  const named = environment[platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME']
  // A relative path is to be ignored, says the specification.
  if (named !== undefined && isAbsolute(named)) return named
  if (platform === 'win32') return undefined
  let directory: string
  try {
    directory = home()
  } catch {
    return undefined
  }
  if (!isAbsolute(directory)) return undefined
  return platform === 'darwin' ? join(directory, 'Library', 'Caches') : join(directory, '.cache')
}

/**
 * Whether the directory exists, or can be created, and can be written. Node itself would try for ever to create
 * it in a file system that has no directories of users, such as procfs.
 */
export function isWritableDirectory(directory: string): boolean {
  for (let path = directory; ; path = dirname(path)) {
    try {
      accessSync(path, constants.W_OK | constants.X_OK)
      return true
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT'
      if (!isMissing || dirname(path) === path) return false
    }
  }
}
