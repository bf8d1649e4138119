// What goes wrong on a simulated disk: system calls that fail once, a disk that is full for a
// while, one that is slow for a while.

export type DiskErrorCode = 'EIO' | 'ENOSPC' | 'EMFILE'

/** A system call that fails once. */
export interface CallFailure {
  /** Name of the method of Disk or DiskFile; any if absent. */
  readonly operation?: string
  /** A part of the path; any if absent. */
  readonly path?: string
  readonly code: DiskErrorCode
  /** How many matching calls succeed before it. */
  readonly after: number
}

/** Operations that need space on the disk. */
const takesSpace: ReadonlySet<string> = new Set([
  ...['write', 'writeSynced', 'create', 'makeDirectory', 'rename'],
])

/** What each error can be the answer to. */
const possible: Readonly<Record<DiskErrorCode, ReadonlySet<string>>> = {
  EIO: new Set([
    ...[
      'open',
      'create',
      'read',
      'write',
      'writeSynced',
      'sync',
      'truncate',
      'stat',
      'list',
      'readFile',
    ],
    ...['makeDirectory', 'rename', 'remove', 'syncDirectory'],
  ]),
  ENOSPC: takesSpace,
  EMFILE: new Set(['open', 'create', 'list', 'readFile', 'syncDirectory']),
}

export class DiskFaults {
  #failures: { readonly failure: CallFailure; left: number }[] = []
  isFull = false
  /** Factor of the time that operations take. */
  slowness = 1

  /** The next call that matches, after some that succeed, fails once. */
  failOnce(failure: CallFailure): void {
    this.#failures.push({ failure, left: failure.after })
  }

  heal(): void {
    this.#failures = []
    this.isFull = false
    this.slowness = 1
  }

  /** The code with which this call fails; undefined if it does not. */
  errorOf(operation: string, path: string): DiskErrorCode | undefined {
    for (const armed of this.#failures) {
      const { code, operation: only, path: part } = armed.failure
      if (!possible[code].has(operation)) continue
      if (only !== undefined && only !== operation) continue
      if (part !== undefined && !path.includes(part)) continue
      if (armed.left-- > 0) continue
      this.#failures = this.#failures.filter((other) => other !== armed)
      return code
    }
    return this.isFull && takesSpace.has(operation) ? 'ENOSPC' : undefined
  }
}

export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${operation} '${path}'`), { code })
}
