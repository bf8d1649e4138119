// The default data directory of a program: systemd's state directory, /var/lib for root, otherwise
// the data directory of the user by the convention of the platform. Reads no environment itself, so
// that every case can be tested.

import { posix, win32 } from 'node:path'

export interface DataDependencies {
  readonly platform: NodeJS.Platform
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Home directory of the user; empty without one. */
  readonly homeDirectory: string
  readonly isRoot: boolean
  readonly currentDirectory: string
  readonly exists: (path: string) => boolean
}

export interface DataRequest {
  /** Path below Millrace's own directory: `broker`, or `jobs/NAME`. */
  readonly path: string
  /** Path below systemd's state directory, which belongs to one unit; empty for that directory. */
  readonly pathInState: string
  /** Path used by earlier versions, below the current directory; kept if it exists. */
  readonly formerPath: string
}

export interface DataLocation {
  /** Absolute. */
  readonly directory: string
  /** Whether a directory of an earlier version is used, which the program should log. */
  readonly isFormer: boolean
}

export function dataLocation(request: DataRequest, dependencies: DataDependencies): DataLocation {
  const { platform, environment, currentDirectory, exists } = dependencies
  const { join, resolve, isAbsolute } = platform === 'win32' ? win32 : posix
  // systemd separates several state directories by colons; the first one is the main one.
  const [state = ''] = (environment.STATE_DIRECTORY ?? '').split(':')
  if (isAbsolute(state)) return { directory: join(state, request.pathInState), isFormer: false }
  const former = resolve(currentDirectory, request.formerPath)
  if (exists(former)) return { directory: former, isFormer: true }
  return { directory: join(dataHome(dependencies), 'millrace', request.path), isFormer: false }
}

/** Returns the directory below which each program has a data directory of its own. */
function dataHome({
  platform,
  environment,
  homeDirectory,
  isRoot,
  currentDirectory,
}: DataDependencies): string {
  const { join, isAbsolute } = platform === 'win32' ? win32 : posix
  // A service account may have no home.
  const home = homeDirectory === '' ? currentDirectory : homeDirectory
  if (platform === 'win32') return environment.LOCALAPPDATA || join(home, 'AppData', 'Local')
  if (platform === 'darwin') {
    return isRoot ? '/Library/Application Support' : join(home, 'Library', 'Application Support')
  }
  if (isRoot) return '/var/lib'
  // The XDG specification says that a relative path must be ignored.
  const { XDG_DATA_HOME: xdg = '' } = environment
  return isAbsolute(xdg) ? xdg : join(home, '.local', 'share')
}
