// The directories from which a program resolves the paths of its user: the working directory and
// the home directory. The agent gets them handed in, so that a test can choose them.

import { homedir } from 'node:os'

export interface HostDirectories {
  readonly working: string
  readonly home: string
}

export function hostDirectories(): HostDirectories {
  return { working: process.cwd(), home: homedir() }
}
