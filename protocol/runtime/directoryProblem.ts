// What to say when a directory cannot be made or written to: what happened, to which directory, and what
// to do, in one line. The system's own message names a call and a code, and often another path.

/** Failures whose meaning for a directory is known, by the system's code. */
const meanings: Readonly<Record<string, readonly [happened: string, advice: string]>> = {
  EACCES: ['permission denied', 'give a directory that this user may write to'],
  EPERM: ['operation not permitted', 'give a directory that this user may write to'],
  EROFS: ['the file system is read-only', 'give a directory on a file system that can be written'],
  ENOSPC: ['no space left on device', 'free some space, or give a directory on another device'],
  EDQUOT: ['disk quota exceeded', 'free some space, or give a directory on another device'],
  ENAMETOOLONG: ['the path is too long', 'give a shorter one'],
  ELOOP: ['its symbolic links form a loop', 'give the path of a directory'],
  ENOENT: ['a directory above it does not exist and cannot be created', 'give another directory'],
}

/**
 * The error for a directory that could not be created (`create`), or not written to (`write`). Keeps the
 * system's code. A failure of another kind is returned as it is.
 */
export function directoryProblem(
  action: 'create' | 'write to',
  directory: string,
  cause: unknown,
  user: number | undefined = process.getuid?.(),
): unknown {
  const { code = '' } = cause as NodeJS.ErrnoException
  if (code === 'EEXIST' || code === 'ENOTDIR') {
    const part = code === 'EEXIST' ? 'is' : 'lies below'
    return problem(`${directory} ${part} a file, and not a directory: give the path of a directory`)
  }
  const [happened, advice] = (Object.hasOwn(meanings, code) && meanings[code]) || []
  if (happened === undefined) return cause
  const who = code === 'EACCES' && user !== undefined ? ` for user id ${user}` : ''
  return problem(`cannot ${action} ${shortened(directory)}: ${happened}${who}; ${advice}`)

  function problem(message: string): Error {
    // Without the cause, whose message would be logged behind this one and says the same.
    return Object.assign(new Error(message), { code })
  }
}

const mostShown = 200

/** A path that is refused for its length would fill the screen. */
function shortened(path: string): string {
  return path.length <= mostShown
    ? path
    : `${path.slice(0, mostShown)}... (${path.length} characters)`
}
