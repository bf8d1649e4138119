// Restores the error code of the system in errors of `level`. LevelDB reports only the text of
// strerror; without a code, callers could not tell a full disk, which is temporary, from a broken
// one.

/** strerror texts of glibc and, where they differ, of musl. */
const codesByWords: readonly (readonly [words: string, code: string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Quota exceeded', 'EDQUOT'],
  ['Too many open files in system', 'ENFILE'],
  ['Too many open files', 'EMFILE'],
  ['No file descriptors available', 'EMFILE'],
  ['Input/output error', 'EIO'],
  ['I/O error', 'EIO'],
  ['Read-only file system', 'EROFS'],
  ['Is a directory', 'EISDIR'],
  ['Not a directory', 'ENOTDIR'],
  ['No such file or directory', 'ENOENT'],
  ['Permission denied', 'EACCES'],
  ['No such device', 'ENODEV'],
  ['Stale file handle', 'ESTALE'],
]

/** Returns an error with the system's code; any other error is returned unchanged. */
export function systemErrorOf(error: unknown): unknown {
  const text = wordsOf(error)
  const known = codesByWords.find(([words]) => text.includes(words))
  if (!known) return error
  return Object.assign(new Error(`${known[1]}: ${text}`, { cause: error }), { code: known[1] })
}

/** Returns the message of the innermost cause; outer ones only say that the database failed. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : wordsOf(error.cause)
}
