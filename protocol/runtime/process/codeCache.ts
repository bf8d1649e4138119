// Selects the directory of Node's compile cache, which shortens later starts. Never inside an
// installed package, which may be read-only and belong to another user.

import { accessSync, constants } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface CodeCacheDependencies {
  /** `import.meta.url` of the program's entry. */
  readonly url: string
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Returns the home directory. May throw, as os.homedir does for a user id without an entry. */
  readonly home: () => string
}

/**
 * Returns the cache directory: below node_modules for a checkout, below the user's cache directory
 * for an installed package. Undefined without one, and when NODE_COMPILE_CACHE already selects a
 * directory.
 */
export function codeCacheDirectory(dependencies: CodeCacheDependencies): string | undefined {
  const { url, environment } = dependencies
  if (environment.NODE_COMPILE_CACHE) return undefined
  if (url.endsWith('.ts')) {
    return fileURLToPath(new URL('./node_modules/.cache/compile', url))
  }
  const user = userCacheDirectory(dependencies)
  return user === undefined ? undefined : join(user, 'millrace', 'compile')
}

/** The convention of each platform; on Linux the XDG Base Directory Specification. */
function userCacheDirectory({
  platform,
  environment,
  home,
}: CodeCacheDependencies): string | undefined {
  const named = environment[platform === 'win32' ? 'LOCALAPPDATA' : 'XDG_CACHE_HOME']
  // The XDG specification says that a relative path must be ignored.
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
 * Whether the directory is writable, or can be created. Checked because Node never stops trying to
 * create it in a file system without user directories, such as procfs.
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
