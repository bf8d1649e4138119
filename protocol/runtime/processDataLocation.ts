// The location of data for this process: its environment, its user and its current directory.

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { type DataLocation, type DataRequest, dataLocation } from './dataLocation.ts'

export function processDataLocation(request: DataRequest): DataLocation {
  return dataLocation(request, {
    platform: process.platform,
    environment: process.env,
    homeDirectory: home(),
    isRoot: process.getuid?.() === 0,
    currentDirectory: process.cwd(),
    exists: existsSync,
  })
}

/** A user id without an entry in the user database has no home. */
function home(): string {
  try {
    return homedir()
  } catch {
    return ''
  }
}
