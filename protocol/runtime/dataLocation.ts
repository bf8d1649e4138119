// Where a program keeps its data when nobody says where: systemd's state directory, /var/lib for root, and
// the user's own data directory by the convention of the platform. Reads nothing itself: what decides is
// handed in, so that every case is a test.

import { posix, win32 } from 'node:path'

export interface DataSurroundings {
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The user's; empty when there is none. */
  readonly homeDirectory: string
  readonly isRoot: boolean
  readonly currentDirectory: string
  readonly exists: (path: string) => boolean
}

export interface DataRequest {
  /** What lies there, below the directory of Millrace's data: `broker`, or `jobs/NAME`. */
  readonly path: string
  /** The same below systemd's state directory, which belongs to one unit; empty for all of it. */
  readonly pathInState: string
  /** Where earlier versions put it, below the current directory; used on if it exists. */
  readonly formerPath: string
}

export interface DataLocation {
  /** Absolute. */
  readonly directory: string
  /** Whether data of an earlier version decided, which should be told. */
  readonly isFormer: boolean
}

export function dataLocation(request: DataRequest, surroundings: DataSurroundings): DataLocation {
  const { platform, environment, currentDirectory, exists } = surroundings
  const { join, resolve, isAbsolute } = platform === 'win32' ? win32 : posix
  // systemd separates several by colons; the first is the unit's main one.
  const [state = ''] = (environment.STATE_DIRECTORY ?? '').split(':')
  if (isAbsolute(state)) return { directory: join(state, request.pathInState), isFormer: false }
  const former = resolve(currentDirectory, request.formerPath)
  if (exists(former)) return { directory: former, isFormer: true }
  return { directory: join(dataHome(surroundings), 'millrace', request.path), isFormer: false }
}

/** The directory in which programs keep their data, each in one of its own. */
function dataHome({
  platform,
  environment,
  homeDirectory,
  isRoot,
  currentDirectory,
}: DataSurroundings): string {
  const { join, isAbsolute } = platform === 'win32' ? win32 : posix
  // A service account may have no home.
  const home = homeDirectory === '' ? currentDirectory : homeDirectory
  if (platform === 'win32') return environment.LOCALAPPDATA || join(home, 'AppData', 'Local')
  if (platform === 'darwin') {
    return isRoot ? '/Library/Application Support' : join(home, 'Library', 'Application Support')
  }
  if (isRoot) return '/var/lib'
  // The XDG specification: a relative path is to be ignored.
  const { XDG_DATA_HOME: xdg = '' } = environment
  return isAbsolute(xdg) ? xdg : join(home, '.local', 'share')
}
