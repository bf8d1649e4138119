// What the system said when `level` failed. LevelDB passes on the words of strerror and not the code, so the
// words are looked up here; without a code nobody could tell a full disk, which passes, from a broken one.

/** In glibc's words, then in musl's where those differ. */
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

/** An error with the system's code; what is no error of the system is returned as it is. */
export function systemErrorOf(error: unknown): unknown {
  const text = wordsOf(error)
  const known = codesByWords.find(([words]) => text.includes(words))
  if (!known) return error
  return Object.assign(new Error(`${known[1]}: ${text}`, { cause: error }), { code: known[1] })
}

/** The words of the innermost cause: those around it only say that the database failed. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : wordsOf(error.cause)
}
