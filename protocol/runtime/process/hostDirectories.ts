// The directories from which a program resolves the paths of its user: the working directory and
// the home directory. Kept here so that no other file asks the process for them.

import { homedir } from 'node:os'

export interface HostDirectories {
  readonly working: string
  readonly home: string
}

export function hostDirectories(): HostDirectories {
  return { working: process.cwd(), home: homedir() }
}
