// dataLocation with the environment, user and current directory of this process.

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

/** Returns an empty string for a user id without an entry in the user database. */
function home(): string {
  try {
    return homedir()
  } catch {
    return ''
  }
}
