// Files as a thing that is handed in. The simulator's disk loses unsynced bytes and tears writes;
// the real one is nodeDisk. Code above this interface must assume both.

/**
 * What a file is opened for. `read` fails when it is missing; `write` reads too and creates it. With
 * `writeSynced` every write is durable when it resolves, which costs less than a sync behind it.
 */
export type DiskMode = 'read' | 'write' | 'writeSynced'

/** One open file. Positions and sizes are in bytes. Calls may overlap. */
export interface DiskFile {
  readonly path: string
  /** Fills `into` from `position`; returns how many bytes there were (less at the end of file). */
  read(into: Uint8Array, position: number): Promise<number>
  /** Writes all chunks, one after another, from `position`. Not durable before `sync`, unless the mode says so. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>
  /** Makes every byte written so far survive a power failure (fdatasync). */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  stat(): Promise<DiskStat>
  close(): Promise<void>
}

export interface DiskStat {
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** Identity of the file behind the path: it survives a rename. */
  readonly device: number
  readonly inode: number
  readonly isDirectory: boolean
  /** Neither a directory nor a pipe, a socket or a device, of which reading may never end. */
  readonly isFile: boolean
}

export interface Disk {
  open(path: string, mode: DiskMode): Promise<DiskFile>
  /** Names (not paths) in a directory, sorted. */
  list(directory: string): Promise<string[]>
  /** Undefined when nothing is there. Follows symbolic links. */
  stat(path: string): Promise<DiskStat | undefined>
  /** The whole file; undefined when it is missing. For small files only. */
  readFile(path: string): Promise<Buffer | undefined>
  /** Replaces a small file so that a crash leaves the old content or the new: temp, sync, rename. */
  writeFileAtomic(path: string, content: Uint8Array): Promise<void>
  /** Creates the directory and its parents, durably; nothing happens when it exists. */
  makeDirectory(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file or a whole directory; nothing happens when it is missing. */
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals in the directory survive a power failure. */
  syncDirectory(directory: string): Promise<void>
  /** Free bytes on the file system that holds the directory. */
  freeBytes(directory: string): Promise<number>
  /** How many files this process may have open at the same time. */
  maxOpenFiles(): Promise<number>
  /** The size of the file system that holds the directory. */
  totalBytes(directory: string): Promise<number>
  /**
   * Takes a directory for this process alone, until `release` or the end of the process, however
   * it ends. Throws DirectoryInUseError when another holder has it. Takes no space in a directory
   * that was locked before, so that programs start on a full disk.
   */
  lock(directory: string): Promise<DiskLock>
}

export interface DiskLock {
  release(): Promise<void>
}

/** Another process, or another part of this one, has the lock of a directory. */
export class DirectoryInUseError extends Error {
  readonly code = 'DIRECTORY_IN_USE'
  readonly directory: string
  constructor(directory: string, cause?: unknown) {
    super(
      `${directory} is in use by another process: stop that one first, or choose another directory`,
      { cause },
    )
    this.directory = directory
  }
}
