// Messages for a directory that cannot be created or written to.

import { expect, test } from 'vitest'
import { directoryProblem } from '../../../../protocol/runtime/disk/directoryProblem.ts'

function problemOf(code: string, action: 'create' | 'write to' = 'create', path = '/srv/data') {
  const cause = Object.assign(new Error(`${code}: words of the system, mkdir '/srv'`), { code })
  return directoryProblem(action, path, cause, 1000) as Error & { code: string }
}

test.each([
  [
    'EACCES',
    'cannot create /srv/data: permission denied for user id 1000; use a directory that this user can write to',
  ],
  [
    'EPERM',
    'cannot create /srv/data: operation not permitted; use a directory that this user can write to',
  ],
  [
    'EROFS',
    'cannot create /srv/data: read-only file system; use a directory on a writable file system',
  ],
  [
    'ENOSPC',
    'cannot create /srv/data: no space left on device; free some space, or use a directory on another device',
  ],
  [
    'EDQUOT',
    'cannot create /srv/data: disk quota exceeded; free some space, or use a directory on another device',
  ],
  ['ENAMETOOLONG', 'cannot create /srv/data: path too long; use a shorter path'],
  ['ELOOP', 'cannot create /srv/data: symbolic links form a loop; use the path of a directory'],
  [
    'ENOENT',
    'cannot create /srv/data: a parent directory does not exist and cannot be created; use another directory',
  ],
  ['EEXIST', '/srv/data is a file, not a directory: use the path of a directory'],
  ['ENOTDIR', '/srv/data is below a file, not a directory: use the path of a directory'],
])('%s', (code, message) => {
  expect(problemOf(code)).toMatchObject({ message, code })
})

test('an error with another code is returned unchanged', () => {
  expect(problemOf('EIO').message).toMatch(/^EIO: words of the system/)
  const bug = new TypeError('no code')
  expect(directoryProblem('create', '/srv/data', bug)).toBe(bug)
})

test('an existing directory that cannot be written to', () => {
  expect(problemOf('EACCES', 'write to').message).toMatch(
    /^cannot write to \/srv\/data: permission/,
  )
})

test('a path that is too long is shortened', () => {
  expect(problemOf('ENAMETOOLONG', 'create', `/${'x'.repeat(5_000)}`).message.length).toBeLessThan(
    300,
  )
})
