// One-line messages for a directory that cannot be created or written to: what happened, to which
// directory, and what to do. The system's message names a call and a code, and often another path.

/** Meaning and remedy by error code of the system. */
const meanings: Readonly<Record<string, readonly [happened: string, advice: string]>> = {
  EACCES: ['permission denied', 'use a directory that this user can write to'],
  EPERM: ['operation not permitted', 'use a directory that this user can write to'],
  EROFS: ['read-only file system', 'use a directory on a writable file system'],
  ENOSPC: ['no space left on device', 'free some space, or use a directory on another device'],
  EDQUOT: ['disk quota exceeded', 'free some space, or use a directory on another device'],
  ENAMETOOLONG: ['path too long', 'use a shorter path'],
  ELOOP: ['symbolic links form a loop', 'use the path of a directory'],
  ENOENT: ['a parent directory does not exist and cannot be created', 'use another directory'],
}

/**
 * Returns the error for a directory that cannot be created or written to, with the system's code.
 * An error with another code is returned unchanged.
 */
export function directoryProblem(
  action: 'create' | 'write to',
  directory: string,
  cause: unknown,
  user: number | undefined = process.getuid?.(),
): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    const part = code === 'EEXIST' ? 'is' : 'is below'
    return problem(`${directory} ${part} a file, not a directory: use the path of a directory`)
  }
  const [happened, advice] = (Object.hasOwn(meanings, code) && meanings[code]) || []
  if (happened === undefined) return cause
  const who = code === 'EACCES' && user !== undefined ? ` for user id ${user}` : ''
  return problem(`cannot ${action} ${shortened(directory)}: ${happened}${who}; ${advice}`)

  function problem(message: string): Error {
    // Without the cause: its message would be logged as well and says the same.
    return Object.assign(new Error(message), { code })
  }
}

const maxShownCharacters = 200

/** Shortens a path, which may have been refused for its length. */
function shortened(path: string): string {
  return path.length <= maxShownCharacters
    ? path
    : `${path.slice(0, maxShownCharacters)}... (${path.length} characters)`
}
