// The interface to files, passed in through constructors. nodeDisk.ts implements it with node:fs,
// memoryDisk.ts in memory. Code above this interface must assume that a power failure loses
// unsynced bytes, tears the last write, and undoes name changes in directories that were not
// synced.

import { CodedError } from '../codedError.ts'

/**
 * `read` fails when the file does not exist; `write` creates it, and allows reading too. With
 * `writeSynced` every write is durable when it resolves, which costs less than a separate sync.
 */
export type DiskMode = 'read' | 'write' | 'writeSynced'

/** An open file. Positions and sizes are in bytes. Calls may overlap. */
export interface DiskFile {
  readonly path: string
  /**
   * Fills `into` from `position`. Returns the number of bytes read; fewer only at the end of the
   * file.
   */
  read(into: Uint8Array, position: number): Promise<number>
  /**
   * Writes the chunks consecutively from `position`. Durable only after `sync`, or with
   * `writeSynced`.
   */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>
  /** Makes all completed writes durable (fdatasync). */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  stat(): Promise<DiskStat>
  close(): Promise<void>
}

export interface DiskStat {
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** With `inode`, identifies the file; unchanged by a rename. */
  readonly device: number
  readonly inode: number
  readonly isDirectory: boolean
  /** Whether it is a regular file: reading a pipe, a socket or a device may never end. */
  readonly isFile: boolean
}

export interface Disk {
  open(path: string, mode: DiskMode): Promise<DiskFile>
  /** Names (not paths) in a directory, sorted. */
  list(directory: string): Promise<string[]>
  /** Undefined when the path does not exist. Follows symbolic links. */
  stat(path: string): Promise<DiskStat | undefined>
  /** Returns the whole file; undefined when it does not exist. For small files only. */
  readFile(path: string): Promise<Buffer | undefined>
  /** Replaces a small file durably; after a crash it has the old or the new content. */
  writeFileAtomic(path: string, content: Uint8Array): Promise<void>
  /** Creates the directory and its parents durably; no effect when it exists. */
  makeDirectory(directory: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file or a directory with its contents; no effect when it does not exist. */
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(directory: string): Promise<void>
  /** Free space of the file system of the directory, in bytes. */
  freeBytes(directory: string): Promise<number>
  /** Limit on the open files of this process. */
  maxOpenFiles(): Promise<number>
  /** Size of the file system of the directory, in bytes. */
  totalBytes(directory: string): Promise<number>
  /**
   * Locks a directory exclusively until `release` or the end of the process, in whatever way it
   * ends. Fails with DirectoryInUseError when it is locked. Needs no space in a directory that was
   * locked before, so that programs start on a full disk.
   */
  lock(directory: string): Promise<DiskLock>
}

export interface DiskLock {
  release(): Promise<void>
}

/** The directory is locked by another process, or by another part of this one. */
export class DirectoryInUseError extends CodedError<'DIRECTORY_IN_USE'> {
  readonly directory: string
  constructor(directory: string, cause?: unknown) {
    super(
      'DIRECTORY_IN_USE',
      `${directory} is in use by another process: stop that one first, or choose another directory`,
      cause,
    )
    this.directory = directory
  }
}
