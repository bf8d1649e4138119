// One line for a directory that cannot be made: what happened, to which directory, what to do.

import { expect, test } from 'vitest'
import { directoryProblem } from '../../../protocol/runtime/directoryProblem.ts'

function problemOf(code: string, action: 'create' | 'write to' = 'create', path = '/srv/data') {
  const cause = Object.assign(new Error(`${code}: words of the system, mkdir '/srv'`), { code })
  return directoryProblem(action, path, cause, 1000) as Error & { code: string }
}

test.each([
  [
    'EACCES',
    'cannot create /srv/data: permission denied for user id 1000; give a directory that this user may write to',
  ],
  [
    'EPERM',
    'cannot create /srv/data: operation not permitted; give a directory that this user may write to',
  ],
  [
    'EROFS',
    'cannot create /srv/data: the file system is read-only; give a directory on a file system that can be written',
  ],
  [
    'ENOSPC',
    'cannot create /srv/data: no space left on device; free some space, or give a directory on another device',
  ],
  [
    'EDQUOT',
    'cannot create /srv/data: disk quota exceeded; free some space, or give a directory on another device',
  ],
  ['ENAMETOOLONG', 'cannot create /srv/data: the path is too long; give a shorter one'],
  [
    'ELOOP',
    'cannot create /srv/data: its symbolic links form a loop; give the path of a directory',
  ],
  [
    'ENOENT',
    'cannot create /srv/data: a directory above it does not exist and cannot be created; give another directory',
  ],
  ['EEXIST', '/srv/data is a file, and not a directory: give the path of a directory'],
  ['ENOTDIR', '/srv/data lies below a file, and not a directory: give the path of a directory'],
])('%s', (code, message) => {
  expect(problemOf(code)).toMatchObject({ message, code })
})

test('a failure of another kind is passed on as it is', () => {
  expect(problemOf('EIO').message).toMatch(/^EIO: words of the system/)
  const bug = new TypeError('no code')
  expect(directoryProblem('create', '/srv/data', bug)).toBe(bug)
})

test('a directory that exists, and cannot be written to', () => {
  expect(problemOf('EACCES', 'write to').message).toMatch(
    /^cannot write to \/srv\/data: permission/,
  )
})

test('a path that is too long is not printed as a whole', () => {
  expect(problemOf('ENAMETOOLONG', 'create', `/${'x'.repeat(5_000)}`).message.length).toBeLessThan(
    300,
  )
})
